package httpapi

import (
	"fmt"
	"strings"
)

// Version is an api-version. Versions of one API compare by age, since each begins with a date.
type Version string

// The versions at which routes or shapes change. A stable version has no name here unless something came with it.
const (
	preview2    Version = "2020-09-21-preview2" // Chat of the first SDKs: members
	preview3    Version = "2020-11-01-preview3" // participants, ids as strings
	preview4    Version = "2021-01-27-preview4" // identifier objects
	preview5    Version = "2021-03-01-preview5" // invalidParticipants beside the thread
	preview7    Version = "2021-10-01-preview7" // roles
	imagesFirst Version = "2024-03-15-preview"  // images, in this and the next version only
	imagesLast  Version = "2024-06-05-preview"

	identity2020       Version = "2020-07-20-preview2" // Identity of the first SDKs
	identity2021       Version = "2021-02-22-preview1"
	identityTeamsToken Version = "2021-03-31-preview1" // exchange of Teams tokens
	identityTeams      Version = "2022-06-01"          // the same with application and user
	identityLifetime   Version = "2022-10-01"          // expiresInMinutes
	identityEntra      Version = "2025-03-02-preview"  // customId, get, exchange of Entra tokens
	identityTeamsExt   Version = "2025-06-30"
)

// feature is something that requests and answers of a version of Chat have, beside what all have. To add an api-version, see
// CONTRIBUTING.md.
type feature uint

const (
	members         feature = 1 << iota // the API of 2020-09-21-preview2; see compat_members.go
	flatIDs                             // identifiers are strings
	nestedErrors                        // invalid participants stand below "errors"
	messageMetadata                     // metadata of messages
	htmlAttachments                     // attachments of html messages
	textAttachments                     // attachments of text messages too
	threadMetadata                      // metadata of threads and participants
	retentionPolicy                     // retention policy of threads
	messagingPolicy                     // messaging policy of threads
	roles                               // role ids of participants
	sentAttachments                     // attachments of messages that users send
)

// chatVersions are the versions of Chat, oldest first, and their features. Sources: the published API descriptions; recordings
// of the CLI suite for attachments, of the Java suite for the previews of 2020. A stable version may lack features of the
// preview before it, so each row lists them all.
var chatVersions = []struct {
	version Version
	has     feature
}{
	{"2020-07-20-preview1", members | flatIDs},
	{preview2, members | flatIDs},
	{preview3, flatIDs | nestedErrors},
	{preview4, nestedErrors},
	{preview5, 0},
	{"2021-03-07", 0},
	{"2021-04-05-preview6", messageMetadata},
	{"2021-09-07", messageMetadata},
	{preview7, messageMetadata | roles},
	{"2022-04-21-preview8", messageMetadata},
	{"2022-11-15-preview8", messageMetadata},
	{"2023-04-01-preview", messageMetadata | htmlAttachments},
	{"2023-07-01-preview", messageMetadata | htmlAttachments | threadMetadata},
	{"2023-11-07", messageMetadata | htmlAttachments},
	{"2023-11-15-preview", messageMetadata | htmlAttachments | textAttachments | threadMetadata},
	{"2024-03-01-preview", messageMetadata | htmlAttachments | textAttachments | threadMetadata},
	{"2024-03-07", messageMetadata | htmlAttachments | textAttachments},
	{imagesFirst, messageMetadata | htmlAttachments | textAttachments | threadMetadata | retentionPolicy | sentAttachments},
	{imagesLast, messageMetadata | htmlAttachments | textAttachments | threadMetadata | retentionPolicy | sentAttachments | messagingPolicy},
	{"2025-03-15", messageMetadata | htmlAttachments | textAttachments | threadMetadata | retentionPolicy},
}

// identityVersions are the versions of Identity, oldest first. They differ by when an operation or a field came, see the
// constants; nothing was taken back.
var identityVersions = []Version{
	identity2020, identity2021, "2021-03-07", identityTeamsToken, "2021-10-31-preview", "2021-11-01", identityTeams, identityLifetime,
	"2023-08-01", "2023-08-30-preview", "2023-10-01", identityEntra, "2025-04-01-preview", identityTeamsExt, "2026-07-22", "2026-09-23",
}

// versions are those of each API, oldest first; features are those of each version of Chat.
var versions, features = func() (map[api][]Version, map[Version]feature) {
	all, has := map[api][]Version{identityAPI: identityVersions}, map[Version]feature{}
	for _, c := range chatVersions {
		all[chatAPI] = append(all[chatAPI], c.version)
		has[c.version] = c.has
	}
	return all, has
}()

// has reports whether the version has one of the features.
func (v Version) has(f feature) bool { return features[v]&f != 0 }

// withImages returns the version for the address of an image in a message: the same if it has the image operations, or else
// the last that had them.
func withImages(v Version) Version {
	if v.has(sentAttachments) {
		return v
	}
	return imagesLast
}

// serves reports whether the row serves a version.
func (row *route) serves(v Version) bool {
	return v >= row.since && (row.until == "" || v <= row.until)
}

// supportedVersions returns the header api-supported-versions for rows of one method and path.
func supportedVersions(rows []*route) string {
	var out []string
	for _, v := range versions[rows[0].api] {
		for _, row := range rows {
			if row.serves(v) {
				out = append(out, string(v))
				break
			}
		}
	}
	return strings.Join(out, ", ")
}

// chooseVersion finds the api-version that a call asks for and the row that serves it. The text of the refusal is in
// Azure/Communication issues 159 and 160; the codes are the defaults of ASP.NET API versioning.
func chooseVersion(rows []*route, c *call) (*route, Version, error) {
	asked := Version(c.query.Get("api-version"))
	for _, v := range versions[rows[0].api] {
		for _, row := range rows {
			if v == asked && row.serves(v) {
				return row, v, nil
			}
		}
	}
	if asked == "" {
		return nil, "", &versionError{"ApiVersionUnspecified", "An API version is required, but was not specified."}
	}
	return nil, "", &versionError{"UnsupportedApiVersion", fmt.Sprintf(
		"The HTTP resource that matches the request URI '%s%s' does not support the API version '%s'.", c.links.base(c.r), c.r.URL.EscapedPath(), asked)}
}
