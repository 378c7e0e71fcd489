// Package migrations holds the numbered SQL files of each engine. They only go forward; a file that was released is
// never changed again, which the checksum kept in each database enforces.
package migrations

import "embed"

// Files holds <engine>/<NNNN>_<name>.sql.
//
//go:embed postgres/*.sql sqlite/*.sql
var Files embed.FS
