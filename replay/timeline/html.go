package timeline

import (
	"bufio"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
)

// The parts of a page. The script is split for its readers only.
var (
	//go:embed page/page.css
	pageStyle string
	//go:embed page/data.js
	scriptData string
	//go:embed page/draw.js
	scriptDraw string
	//go:embed page/panel.js
	scriptPanel string
	//go:embed page/page.js
	scriptPage string
	//go:embed page/body.html
	pageBody string
)

func pageScript() string {
	return "(() => {\n\"use strict\";\n" + scriptData + scriptDraw + scriptPanel + scriptPage + "})();\n"
}

// policy returns what a page may do: run its own script, use its own style, and
// nothing else; least of all talk to anybody.
func policy(script, style string) string {
	return fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		integrity(script), integrity(style))
}

func integrity(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// WriteHTML writes the timeline as one page that needs nothing beside it.
// Without scripts it shows a still picture.
func (t *Timeline) WriteHTML(w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	script := pageScript()
	title := "Timeline"
	if t.Cluster != "" {
		title = t.Cluster + " · timeline"
	}
	before, after, _ := strings.Cut(pageBody, "{{picture}}")
	fmt.Fprintf(out, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>%s</title>
<style>%s</style>
</head>
<body>
`, policy(script, pageStyle), html.EscapeString(title), pageStyle)
	out.WriteString(before)
	if err := t.writePicture(out, still); err != nil {
		return err
	}
	out.WriteString(after)
	out.WriteString(`<script type="application/json" id="header">`)
	header, err := json.Marshal(t.header()) // which escapes <, > and & in texts
	if err != nil {
		return err
	}
	out.Write(header)
	out.WriteString("</script>\n<script type=\"application/octet-stream\" id=\"data\">")
	encoder := base64.NewEncoder(base64.StdEncoding, out)
	if err := t.writeData(encoder); err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	fmt.Fprintf(out, "</script>\n<script>%s</script>\n</body>\n</html>\n", script)
	return out.Flush()
}
