module leadergroup.dev/examples/clients/go

go 1.25
