package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/auth"
)

type api int

const (
	chatAPI api = iota
	identityAPI
)

// route is a row of the table of all routes. Rows of one method and path serve different versions.
type route struct {
	method    string
	pattern   string
	operation string // label in logs and metrics, operationId in openapi.yaml
	api       api
	since     Version         // first api-version that has it
	until     Version         // the last; empty: the newest
	need      auth.Capability // what a user token must allow; Identity has no user tokens
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

// routes is the whole surface. Segments that begin with a colon are literal.
var routes = []route{
	{"POST", threadsPath, "CreateThread", chatAPI, preview3, current, auth.ManageThreads, with((*server).createThread)},
	{"GET", threadsPath, "ListThreads", chatAPI, oldest, current, auth.Converse, bodiless((*server).listThreads)},
	{"GET", threadPath, "GetThread", chatAPI, preview3, current, auth.Converse, bodiless((*server).getThread)},
	{"PATCH", threadPath, "UpdateThread", chatAPI, preview3, current, auth.ManageThreads, with((*server).updateThread)},
	{"DELETE", threadPath, "DeleteThread", chatAPI, oldest, current, auth.ManageThreads, bodiless((*server).deleteThread)},

	{"POST", messagesPath, "SendMessage", chatAPI, oldest, current, auth.Converse, with((*server).sendMessage)},
	{"GET", messagesPath, "ListMessages", chatAPI, preview3, current, auth.Converse, bodiless((*server).listMessages)},
	{"GET", messagePath, "GetMessage", chatAPI, preview3, current, auth.Converse, bodiless((*server).getMessage)},
	{"PATCH", messagePath, "UpdateMessage", chatAPI, preview3, current, auth.Converse, with((*server).updateMessage)},
	{"DELETE", messagePath, "DeleteMessage", chatAPI, oldest, current, auth.Converse, bodiless((*server).deleteMessage)},

	{"GET", participantsPath, "ListParticipants", chatAPI, preview3, current, auth.Converse, bodiless((*server).listParticipants)},
	{"POST", participantsPath + "/:add", "AddParticipants", chatAPI, preview3, current, auth.ManageParticipants, with((*server).addParticipants)},
	{"POST", participantsPath + "/:remove", "RemoveParticipant", chatAPI, preview4, current, auth.ManageParticipants, with((*server).removeParticipant)},
	{"DELETE", participantsPath + "/{participant}", "RemoveParticipant", chatAPI, preview3, preview3, auth.ManageParticipants, bodiless((*server).removeByPath)},
	{"POST", participantsPath + "/:update", "UpdateParticipant", chatAPI, preview7, preview7, auth.ManageParticipants, with((*server).updateParticipant)},

	{"POST", receiptsPath, "SendReadReceipt", chatAPI, preview3, current, auth.Converse, with((*server).sendReadReceipt)},
	{"GET", receiptsPath, "ListReadReceipts", chatAPI, oldest, current, auth.Converse, bodiless((*server).listReadReceipts)},
	{"POST", threadPath + "/typing", "SendTyping", chatAPI, oldest, current, auth.Converse, withOptional((*server).sendTyping)},

	{"POST", imagesPath, "UploadImage", chatAPI, images1, images2, auth.Converse, withBytes((*server).uploadImage).ofImages()},
	{"GET", imagesPath + "/{image}/views/{view}", "GetImage", chatAPI, images1, images2, auth.Converse, bodiless((*server).getImage).ofImages()},
	{"GET", imagesPath + "/{image}/view/{view}", "GetImage", chatAPI, images1, images2, auth.Converse, bodiless((*server).getImage).ofImages()},
	{"DELETE", imagesPath + "/{image}", "DeleteImage", chatAPI, images1, images2, auth.Converse, bodiless((*server).deleteImage).ofImages()},

	// Until 2020-09-21-preview2; see preview2.go.
	{"POST", threadsPath, "CreateThread", chatAPI, oldest, preview2, auth.ManageThreads, with((*server).createWithMembers)},
	{"GET", threadPath, "GetThread", chatAPI, oldest, preview2, auth.Converse, bodiless((*server).getThreadWithMembers)},
	{"PATCH", threadPath, "UpdateThread", chatAPI, oldest, preview2, auth.ManageThreads, with((*server).updateThread).answering(http.StatusOK)},
	{"GET", messagesPath, "ListMessages", chatAPI, oldest, preview2, auth.Converse, bodiless((*server).listOldMessages)},
	{"GET", messagePath, "GetMessage", chatAPI, oldest, preview2, auth.Converse, bodiless((*server).getOldMessage)},
	{"PATCH", messagePath, "UpdateMessage", chatAPI, oldest, preview2, auth.Converse, with((*server).updateMessage).answering(http.StatusOK)},
	{"GET", membersPath, "ListParticipants", chatAPI, oldest, preview2, auth.Converse, bodiless((*server).listMembers)},
	{"POST", membersPath, "AddParticipants", chatAPI, oldest, preview2, auth.ManageParticipants, with((*server).addMembers)},
	{"DELETE", membersPath + "/{participant}", "RemoveParticipant", chatAPI, oldest, preview2, auth.ManageParticipants, bodiless((*server).removeByPath)},
	{"POST", receiptsPath, "SendReadReceipt", chatAPI, oldest, preview2, auth.Converse, with((*server).sendReadReceipt).answering(http.StatusCreated)},

	{"POST", identitiesPath, "CreateIdentity", identityAPI, identity2021, current, 0, withOptional((*server).createIdentity)},
	{"GET", identityPath, "GetIdentity", identityAPI, identityEntra, current, 0, bodiless((*server).getIdentity)},
	{"DELETE", identityPath, "DeleteIdentity", identityAPI, oldest, current, 0, bodiless((*server).deleteIdentity)},
	{"POST", identityPath + "/:revokeAccessTokens", "RevokeTokens", identityAPI, identity2021, current, 0, bodiless((*server).revokeTokens)},
	{"POST", identityPath + "/:issueAccessToken", "IssueToken", identityAPI, identity2021, current, 0, with((*server).issueToken)},
	{"POST", "/teamsUser/:exchangeAccessToken", "ExchangeTeamsToken", identityAPI, identityTeamsOld, current, 0, with((*server).exchangeTeamsToken)},
	{"POST", "/access/entra/:exchangeAccessToken", "ExchangeEntraToken", identityAPI, identityEntra, current, 0, bodiless((*server).exchangeEntraToken).entraOnly()},
	{"POST", "/access/teamsExtension/:exchangeAccessToken", "ExchangeTeamsExtensionToken", identityAPI, identityTeamsExt, current, 0, bodiless((*server).exchangeEntraToken).entraOnly()},

	// Until 2020-07-20-preview2; see identities_old.go.
	{"POST", identitiesPath, "CreateIdentity", identityAPI, oldest, identityOld, 0, bodiless((*server).createOldIdentity)},
	{"PATCH", identityPath, "RevokeTokens", identityAPI, oldest, identityOld, 0, withOptional((*server).revokeBefore)},
	{"POST", identityPath + "/token", "IssueToken", identityAPI, oldest, identityOld, 0, with((*server).issueOldToken)},
}

// Who may call a route.
const (
	UserToken  = "user token"                // with the scope that the operation needs
	AccessKey  = "access key or Entra token" // the latter where one is configured
	EntraToken = "Entra token"
)

// Route is a method and path of the surface, whatever its versions.
type Route struct {
	Method  string
	Pattern string // a name in braces stands for one segment; a segment that begins with a colon is literal
	Caller  string // UserToken, AccessKey or EntraToken
	Body    bool   // reads a body, in one version at least; elsewhere a body is passed over
}

// Routes returns the whole surface, in the order of the table.
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
