module leadergroup.dev/pod

go 1.24
