package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/auth"
)

// api is one of the two services, whose versions, callers and errors differ.
type api int

const (
	chatAPI api = iota
	identityAPI
)

// route is a row of the table of all routes. Several rows of one method and path serve different versions.
type route struct {
	method     string
	pattern    string
	operation  string // label in logs and metrics, operationId in openapi.yaml
	api        api
	since      Version         // the first that has it
	until      Version         // the last that has it; empty for the newest
	capability auth.Capability // that a user token needs; 0 for Identity, which has no user tokens
	handler
}

const (
	oldest  Version = ""
	current Version = ""

	threadsPath      = "/chat/threads"
	threadPath       = threadsPath + "/{thread}"
	messagesPath     = threadPath + "/messages"
	messagePath      = messagesPath + "/{message}"
	participantsPath = threadPath + "/participants"
	membersPath      = threadPath + "/members"
	receiptsPath     = threadPath + "/readReceipts"
	imagesPath       = threadPath + "/images"
	identitiesPath   = "/identities"
	identityPath     = identitiesPath + "/{identity}"
)

// routes is the table of all routes. A segment that begins with a colon is literal, as in the service.
var routes = []route{
	{"POST", threadsPath, "CreateThread", chatAPI, preview3, current, auth.ManageThreads, with((*server).createThread)},
	{"GET", threadsPath, "ListThreads", chatAPI, oldest, current, auth.Converse, withoutBody((*server).listThreads)},
	{"GET", threadPath, "GetThread", chatAPI, preview3, current, auth.Converse, withoutBody((*server).getThread)},
	{"PATCH", threadPath, "UpdateThread", chatAPI, preview3, current, auth.ManageThreads, with((*server).updateThread)},
	{"DELETE", threadPath, "DeleteThread", chatAPI, oldest, current, auth.ManageThreads, withoutBody((*server).deleteThread)},

	{"POST", messagesPath, "SendMessage", chatAPI, oldest, current, auth.Converse, with((*server).sendMessage)},
	{"GET", messagesPath, "ListMessages", chatAPI, oldest, current, auth.Converse, withoutBody((*server).listMessages)},
	{"GET", messagePath, "GetMessage", chatAPI, oldest, current, auth.Converse, withoutBody((*server).getMessage)},
	{"PATCH", messagePath, "UpdateMessage", chatAPI, preview3, current, auth.Converse, with((*server).updateMessage)},
	{"DELETE", messagePath, "DeleteMessage", chatAPI, oldest, current, auth.Converse, withoutBody((*server).deleteMessage)},

	{"GET", participantsPath, "ListParticipants", chatAPI, preview3, current, auth.Converse, withoutBody((*server).listParticipants)},
	{"POST", participantsPath + "/:add", "AddParticipants", chatAPI, preview3, current, auth.ManageParticipants, with((*server).addParticipants)},
	{"POST", participantsPath + "/:remove", "RemoveParticipant", chatAPI, preview4, current, auth.ManageParticipants, with((*server).removeParticipant)},
	{"DELETE", participantsPath + "/{participant}", "RemoveParticipant", chatAPI, preview3, preview3, auth.ManageParticipants, withoutBody((*server).removeByPath)},
	{"POST", participantsPath + "/:update", "UpdateParticipant", chatAPI, preview7, preview7, auth.ManageParticipants, with((*server).updateParticipant)},

	{"POST", receiptsPath, "SendReadReceipt", chatAPI, preview3, current, auth.Converse, with((*server).sendReadReceipt)},
	{"GET", receiptsPath, "ListReadReceipts", chatAPI, oldest, current, auth.Converse, withoutBody((*server).listReadReceipts)},
	{"POST", threadPath + "/typing", "SendTyping", chatAPI, oldest, current, auth.Converse, withOptional((*server).sendTyping)},

	{"POST", imagesPath, "UploadImage", chatAPI, imagesFirst, imagesLast, auth.Converse, withBytes((*server).uploadImage).withImageErrors()},
	{"GET", imagesPath + "/{image}/views/{view}", "GetImage", chatAPI, imagesFirst, imagesLast, auth.Converse, withoutBody((*server).getImage).withImageErrors()},
	{"GET", imagesPath + "/{image}/view/{view}", "GetImage", chatAPI, imagesFirst, imagesLast, auth.Converse, withoutBody((*server).getImage).withImageErrors()},
	{"DELETE", imagesPath + "/{image}", "DeleteImage", chatAPI, imagesFirst, imagesLast, auth.Converse, withoutBody((*server).deleteImage).withImageErrors()},

	// Chat until 2020-09-21-preview2; see compat_members.go.
	{"POST", threadsPath, "CreateThread", chatAPI, oldest, preview2, auth.ManageThreads, with((*server).createWithMembers)},
	{"GET", threadPath, "GetThread", chatAPI, oldest, preview2, auth.Converse, withoutBody((*server).getThreadWithMembers)},
	{"PATCH", threadPath, "UpdateThread", chatAPI, oldest, preview2, auth.ManageThreads, with((*server).updateThread).withStatus(http.StatusOK)},
	{"PATCH", messagePath, "UpdateMessage", chatAPI, oldest, preview2, auth.Converse, with((*server).updateMessage).withStatus(http.StatusOK)},
	{"GET", membersPath, "ListParticipants", chatAPI, oldest, preview2, auth.Converse, withoutBody((*server).listMembers)},
	{"POST", membersPath, "AddParticipants", chatAPI, oldest, preview2, auth.ManageParticipants, with((*server).addMembers)},
	{"DELETE", membersPath + "/{participant}", "RemoveParticipant", chatAPI, oldest, preview2, auth.ManageParticipants, withoutBody((*server).removeByPath)},
	{"POST", receiptsPath, "SendReadReceipt", chatAPI, oldest, preview2, auth.Converse, with((*server).sendReadReceipt).withStatus(http.StatusCreated)},

	{"POST", identitiesPath, "CreateIdentity", identityAPI, identity2021, current, 0, withOptional((*server).createIdentity)},
	{"GET", identityPath, "GetIdentity", identityAPI, identityEntra, current, 0, withoutBody((*server).getIdentity)},
	{"DELETE", identityPath, "DeleteIdentity", identityAPI, oldest, current, 0, withoutBody((*server).deleteIdentity)},
	{"POST", identityPath + "/:revokeAccessTokens", "RevokeTokens", identityAPI, identity2021, current, 0, withoutBody((*server).revokeTokens)},
	{"POST", identityPath + "/:issueAccessToken", "IssueToken", identityAPI, identity2021, current, 0, with((*server).issueToken)},
	{"POST", "/teamsUser/:exchangeAccessToken", "ExchangeTeamsToken", identityAPI, identityTeamsToken, current, 0, with((*server).exchangeTeamsToken)},
	{"POST", "/access/entra/:exchangeAccessToken", "ExchangeEntraToken", identityAPI, identityEntra, current, 0, withoutBody((*server).exchangeEntraToken).forEntra()},
	{"POST", "/access/teamsExtension/:exchangeAccessToken", "ExchangeTeamsExtensionToken", identityAPI, identityTeamsExt, current, 0, withoutBody((*server).exchangeEntraToken).forEntra()},

	// Identity until 2020-07-20-preview2; see compat_identity.go.
	{"POST", identitiesPath, "CreateIdentity", identityAPI, oldest, identity2020, 0, withoutBody((*server).createIdentity2020)},
	{"PATCH", identityPath, "RevokeTokens", identityAPI, oldest, identity2020, 0, withOptional((*server).revokeTokensBefore)},
	{"POST", identityPath + "/token", "IssueToken", identityAPI, oldest, identity2020, 0, with((*server).issueToken2020)},
}

// Who may call a route, in words for tables.
const (
	UserToken  = "user token"                // with the scope that the operation needs
	AccessKey  = "access key or Entra token" // an Entra token only if one is configured
	EntraToken = "Entra token"
)

// Route is a method and path of the API, in whichever versions.
type Route struct {
	Method  string
	Pattern string // a name in braces stands for one segment; a segment that begins with a colon is literal
	Caller  string // UserToken, AccessKey or EntraToken
	Body    bool   // at least one version reads a body; a body that is not read is ignored
}

// Routes returns each method and path once, in the order of the table.
func Routes() []Route {
	var out []Route
	at := map[[2]string]int{}
	for i := range routes {
		row := &routes[i]
		key := [2]string{row.method, row.pattern}
		n, known := at[key]
		if !known {
			n = len(out)
			at[key] = n
			out = append(out, Route{Method: row.method, Pattern: row.pattern, Caller: row.caller()})
		}
		out[n].Body = out[n].Body || row.body
	}
	return out
}

// caller returns who may call, as Route has it.
func (row *route) caller() string {
	switch {
	case row.api == chatAPI:
		return UserToken
	case row.entra:
		return EntraToken
	default:
		return AccessKey
	}
}
