package httpapi

import (
	"strings"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// identifierModel is the service's CommunicationIdentifierModel. Answers have rawId and one nested object, never kind.
type identifierModel struct {
	RawID              string         `json:"rawId,omitempty"`
	CommunicationUser  *userModel     `json:"communicationUser,omitempty"`
	PhoneNumber        *phoneModel    `json:"phoneNumber,omitempty"`
	MicrosoftTeamsUser *teamsUser     `json:"microsoftTeamsUser,omitempty"`
	MicrosoftTeamsApp  *teamsAppModel `json:"microsoftTeamsApp,omitempty"`
}

// userModel is a user of ACS. The id is the raw id.
type userModel struct {
	ID string `json:"id"`
}

// phoneModel is a phone number, without the prefix of the raw id.
type phoneModel struct {
	Value string `json:"value"`
}

// teamsUser is a user of Teams, or an anonymous visitor of a Teams meeting.
type teamsUser struct {
	UserID      string `json:"userId"`
	IsAnonymous bool   `json:"isAnonymous,omitempty"`
	Cloud       string `json:"cloud,omitempty"`
}

// teamsAppModel is an application in Teams, such as a bot.
type teamsAppModel struct {
	AppID string `json:"appId"`
	Cloud string `json:"cloud,omitempty"`
}

// teamsClouds maps the prefixes of Teams ids to the cloud they name (azure-communication-common for JavaScript 2.5.0).
var teamsClouds = []struct{ prefix, cloud string }{{"orgid:", "public"}, {"dod:", "dod"}, {"gcch:", "gcch"}}

// toIdentifier returns the identifier of an identity. One of unknown kind has its raw id alone.
func toIdentifier(id chat.Identity) *identifierModel {
	raw := string(id)
	m := &identifierModel{RawID: raw}
	switch id.Kind() {
	case chat.KindUser:
		m.CommunicationUser = &userModel{raw}
	case chat.KindPhone:
		m.PhoneNumber = &phoneModel{raw[len("4:"):]}
	case chat.KindTeamsUser:
		if user, ok := strings.CutPrefix(raw, "8:teamsvisitor:"); ok {
			m.MicrosoftTeamsUser = &teamsUser{UserID: user, IsAnonymous: true, Cloud: "public"}
			break
		}
		user, cloud := cutCloud(raw[len("8:"):])
		m.MicrosoftTeamsUser = &teamsUser{UserID: user, Cloud: cloud}
	case chat.KindTeamsApp:
		app, cloud := cutCloud(raw[len("28:"):])
		m.MicrosoftTeamsApp = &teamsAppModel{app, cloud}
	case chat.KindUnknown: // rawId alone, which SDKs read as UnknownIdentifier
	}
	return m
}

// cutCloud splits a Teams id into the id and its cloud, "" for none that is known.
func cutCloud(rest string) (id, cloud string) {
	for _, c := range teamsClouds {
		if id, ok := strings.CutPrefix(rest, c.prefix); ok {
			return id, c.cloud
		}
	}
	return rest, ""
}

// cloudPrefix returns the prefix of a cloud; the public one is the default, as in azure-communication-common for JavaScript.
func cloudPrefix(cloud string) string {
	for _, c := range teamsClouds {
		if strings.EqualFold(c.cloud, cloud) {
			return c.prefix
		}
	}
	return "orgid:"
}

// identity returns the identity of an identifier: the id in the nested object if there is one, or else the raw id. Old SDKs send
// only the nested object, and an identifier of unknown kind has only the raw id.
func (m *identifierModel) identity() chat.Identity {
	switch {
	case m == nil:
		return ""
	case m.CommunicationUser != nil:
		return chat.Identity(m.CommunicationUser.ID)
	case m.PhoneNumber != nil:
		return chat.Identity("4:" + m.PhoneNumber.Value)
	case m.MicrosoftTeamsUser != nil && m.MicrosoftTeamsUser.IsAnonymous:
		return chat.Identity("8:teamsvisitor:" + m.MicrosoftTeamsUser.UserID)
	case m.MicrosoftTeamsUser != nil:
		return chat.Identity("8:" + cloudPrefix(m.MicrosoftTeamsUser.Cloud) + m.MicrosoftTeamsUser.UserID)
	case m.MicrosoftTeamsApp != nil:
		return chat.Identity("28:" + cloudPrefix(m.MicrosoftTeamsApp.Cloud) + m.MicrosoftTeamsApp.AppID)
	default:
		return chat.Identity(m.RawID)
	}
}

// appendIdentifier writes what encoding/json makes of toIdentifier. Nearly all are users, which are written without it.
func appendIdentifier(to []byte, id chat.Identity) []byte {
	if id.Kind() != chat.KindUser {
		return append(to, web.EncodeJSON(toIdentifier(id))...)
	}
	to = appendText(append(to, `{"rawId":`...), string(id))
	to = appendText(append(to, `,"communicationUser":{"id":`...), string(id))
	return append(to, '}', '}')
}
