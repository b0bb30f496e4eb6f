package timeline

import (
	"strings"

	"github.com/skshohagmiah/clusterkit/replay"
)

// commands returns the commands that reproduce what a page shows, by what is
// selected. {log}, {at}, {from}, {until}, {id}, {subject} and {event} stand for
// what the page knows, which it quotes for a shell.
func (t *Timeline) commands() map[string]string {
	axis := ""
	if t.Axis == replay.Known {
		axis = " --axis known"
	}
	command := func(text string) string { return t.command + " " + text + axis }
	return map[string]string{
		"blame":     command("blame {subject} {log} --at {at} --why"),
		"history":   command("blame {subject} {log} --at {at} --history"),
		"partition": command("log {log} --partition {id} --since {from} --until {until}"),
		"node":      command("log {log} --node {id} --since {from} --until {until}"),
		"log":       command("log {log} --since {from} --until {until}"),
		"state":     command("state {log} --at {at}"),
		"diff":      command("diff {log} {from}..{until}"),
		"show":      t.command + " show {event} {logs}",
	}
}

// quote returns a word as a shell takes it.
func quote(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
