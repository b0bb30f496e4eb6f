module github.com/skshohagmiah/clusterkit/bench/measure

go 1.25
