package httpapi

import (
	"net/http"

	"github.com/chatd/chatd/internal/auth"
	"github.com/chatd/chatd/internal/chat"
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
	handle    func(*server, *call) (reply, error)
	image     bool // takes or gives images
}

// bodyLimit bounds the body of a request, in bytes.
func (row *route) bodyLimit() int64 {
	if row.image {
		return chat.MaxImageBytes + 1
	}
	return maxBody
}

const (
	oldest  Version = ""
	current Version = ""

	threads      = "/chat/threads"
	thread       = threads + "/{thread}"
	messages     = thread + "/messages"
	message      = messages + "/{message}"
	participants = thread + "/participants"
	members      = thread + "/members"
	receipts     = thread + "/readReceipts"
	images       = thread + "/images"
	identities   = "/identities"
	identity     = identities + "/{identity}"
)

// routes is the whole surface. Segments that begin with a colon are literal.
var routes = []route{
	{"POST", threads, "CreateThread", chatAPI, preview3, current, auth.ManageThreads, with((*server).createThread), false},
	{"GET", threads, "ListThreads", chatAPI, oldest, current, auth.Converse, (*server).listThreads, false},
	{"GET", thread, "GetThread", chatAPI, preview3, current, auth.Converse, (*server).getThread, false},
	{"PATCH", thread, "UpdateThread", chatAPI, preview3, current, auth.ManageThreads, with((*server).updateThread), false},
	{"DELETE", thread, "DeleteThread", chatAPI, oldest, current, auth.ManageThreads, (*server).deleteThread, false},

	{"POST", messages, "SendMessage", chatAPI, oldest, current, auth.Converse, with((*server).sendMessage), false},
	{"GET", messages, "ListMessages", chatAPI, preview3, current, auth.Converse, (*server).listMessages, false},
	{"GET", message, "GetMessage", chatAPI, preview3, current, auth.Converse, (*server).getMessage, false},
	{"PATCH", message, "UpdateMessage", chatAPI, preview3, current, auth.Converse, with((*server).updateMessage), false},
	{"DELETE", message, "DeleteMessage", chatAPI, oldest, current, auth.Converse, (*server).deleteMessage, false},

	{"GET", participants, "ListParticipants", chatAPI, preview3, current, auth.Converse, (*server).listParticipants, false},
	{"POST", participants + "/:add", "AddParticipants", chatAPI, preview3, current, auth.ManageParticipants, with((*server).addParticipants), false},
	{"POST", participants + "/:remove", "RemoveParticipant", chatAPI, preview4, current, auth.ManageParticipants, with((*server).removeParticipant), false},
	{"DELETE", participants + "/{participant}", "RemoveParticipant", chatAPI, preview3, preview3, auth.ManageParticipants, (*server).removeByPath, false},
	{"POST", participants + "/:update", "UpdateParticipant", chatAPI, preview7, preview7, auth.ManageParticipants, with((*server).updateParticipant), false},

	{"POST", receipts, "SendReadReceipt", chatAPI, preview3, current, auth.Converse, with((*server).sendReadReceipt), false},
	{"GET", receipts, "ListReadReceipts", chatAPI, oldest, current, auth.Converse, (*server).listReadReceipts, false},
	{"POST", thread + "/typing", "SendTyping", chatAPI, oldest, current, auth.Converse, withOptional((*server).sendTyping), false},

	{"POST", images, "UploadImage", chatAPI, images1, images2, auth.Converse, (*server).uploadImage, true},
	{"GET", images + "/{image}/views/{view}", "GetImage", chatAPI, images1, images2, auth.Converse, (*server).getImage, true},
	{"GET", images + "/{image}/view/{view}", "GetImage", chatAPI, images1, images2, auth.Converse, (*server).getImage, true},
	{"DELETE", images + "/{image}", "DeleteImage", chatAPI, images1, images2, auth.Converse, (*server).deleteImage, true},

	// Until 2020-09-21-preview2; see preview2.go.
	{"POST", threads, "CreateThread", chatAPI, oldest, preview2, auth.ManageThreads, with((*server).createWithMembers), false},
	{"GET", thread, "GetThread", chatAPI, oldest, preview2, auth.Converse, (*server).getThreadWithMembers, false},
	{"PATCH", thread, "UpdateThread", chatAPI, oldest, preview2, auth.ManageThreads, answering(http.StatusOK, with((*server).updateThread)), false},
	{"GET", messages, "ListMessages", chatAPI, oldest, preview2, auth.Converse, (*server).listOldMessages, false},
	{"GET", message, "GetMessage", chatAPI, oldest, preview2, auth.Converse, (*server).getOldMessage, false},
	{"PATCH", message, "UpdateMessage", chatAPI, oldest, preview2, auth.Converse, answering(http.StatusOK, with((*server).updateMessage)), false},
	{"GET", members, "ListParticipants", chatAPI, oldest, preview2, auth.Converse, (*server).listMembers, false},
	{"POST", members, "AddParticipants", chatAPI, oldest, preview2, auth.ManageParticipants, with((*server).addMembers), false},
	{"DELETE", members + "/{participant}", "RemoveParticipant", chatAPI, oldest, preview2, auth.ManageParticipants, (*server).removeByPath, false},
	{"POST", receipts, "SendReadReceipt", chatAPI, oldest, preview2, auth.Converse, answering(http.StatusCreated, with((*server).sendReadReceipt)), false},

	{"POST", identities, "CreateIdentity", identityAPI, identity2021, current, 0, withOptional((*server).createIdentity), false},
	{"GET", identity, "GetIdentity", identityAPI, identityEntra, current, 0, (*server).getIdentity, false},
	{"DELETE", identity, "DeleteIdentity", identityAPI, oldest, current, 0, (*server).deleteIdentity, false},
	{"POST", identity + "/:revokeAccessTokens", "RevokeTokens", identityAPI, identity2021, current, 0, (*server).revokeTokens, false},
	{"POST", identity + "/:issueAccessToken", "IssueToken", identityAPI, identity2021, current, 0, with((*server).issueToken), false},
	{"POST", "/teamsUser/:exchangeAccessToken", "ExchangeTeamsToken", identityAPI, identityTeamsOld, current, 0, with((*server).exchangeTeamsToken), false},
	{"POST", "/access/entra/:exchangeAccessToken", "ExchangeEntraToken", identityAPI, identityEntra, current, 0, (*server).exchangeEntraToken, false},
	{"POST", "/access/teamsExtension/:exchangeAccessToken", "ExchangeTeamsExtensionToken", identityAPI, identityTeamsExt, current, 0, (*server).exchangeEntraToken, false},

	// Until 2020-07-20-preview2; see identities_old.go.
	{"POST", identities, "CreateIdentity", identityAPI, oldest, identityOld, 0, (*server).createOldIdentity, false},
	{"PATCH", identity, "RevokeTokens", identityAPI, oldest, identityOld, 0, withOptional((*server).revokeBefore), false},
	{"POST", identity + "/token", "IssueToken", identityAPI, oldest, identityOld, 0, with((*server).issueOldToken), false},
}
