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
	if row.image && row.method == http.MethodPost {
		return chat.MaxImageBytes + 1
	}
	return maxBody
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
	{"POST", threadsPath, "CreateThread", chatAPI, preview3, current, auth.ManageThreads, with((*server).createThread), false},
	{"GET", threadsPath, "ListThreads", chatAPI, oldest, current, auth.Converse, (*server).listThreads, false},
	{"GET", threadPath, "GetThread", chatAPI, preview3, current, auth.Converse, (*server).getThread, false},
	{"PATCH", threadPath, "UpdateThread", chatAPI, preview3, current, auth.ManageThreads, with((*server).updateThread), false},
	{"DELETE", threadPath, "DeleteThread", chatAPI, oldest, current, auth.ManageThreads, (*server).deleteThread, false},

	{"POST", messagesPath, "SendMessage", chatAPI, oldest, current, auth.Converse, with((*server).sendMessage), false},
	{"GET", messagesPath, "ListMessages", chatAPI, preview3, current, auth.Converse, (*server).listMessages, false},
	{"GET", messagePath, "GetMessage", chatAPI, preview3, current, auth.Converse, (*server).getMessage, false},
	{"PATCH", messagePath, "UpdateMessage", chatAPI, preview3, current, auth.Converse, with((*server).updateMessage), false},
	{"DELETE", messagePath, "DeleteMessage", chatAPI, oldest, current, auth.Converse, (*server).deleteMessage, false},

	{"GET", participantsPath, "ListParticipants", chatAPI, preview3, current, auth.Converse, (*server).listParticipants, false},
	{"POST", participantsPath + "/:add", "AddParticipants", chatAPI, preview3, current, auth.ManageParticipants, with((*server).addParticipants), false},
	{"POST", participantsPath + "/:remove", "RemoveParticipant", chatAPI, preview4, current, auth.ManageParticipants, with((*server).removeParticipant), false},
	{"DELETE", participantsPath + "/{participant}", "RemoveParticipant", chatAPI, preview3, preview3, auth.ManageParticipants, (*server).removeByPath, false},
	{"POST", participantsPath + "/:update", "UpdateParticipant", chatAPI, preview7, preview7, auth.ManageParticipants, with((*server).updateParticipant), false},

	{"POST", receiptsPath, "SendReadReceipt", chatAPI, preview3, current, auth.Converse, with((*server).sendReadReceipt), false},
	{"GET", receiptsPath, "ListReadReceipts", chatAPI, oldest, current, auth.Converse, (*server).listReadReceipts, false},
	{"POST", threadPath + "/typing", "SendTyping", chatAPI, oldest, current, auth.Converse, withOptional((*server).sendTyping), false},

	{"POST", imagesPath, "UploadImage", chatAPI, images1, images2, auth.Converse, (*server).uploadImage, true},
	{"GET", imagesPath + "/{image}/views/{view}", "GetImage", chatAPI, images1, images2, auth.Converse, (*server).getImage, true},
	{"GET", imagesPath + "/{image}/view/{view}", "GetImage", chatAPI, images1, images2, auth.Converse, (*server).getImage, true},
	{"DELETE", imagesPath + "/{image}", "DeleteImage", chatAPI, images1, images2, auth.Converse, (*server).deleteImage, true},

	// Until 2020-09-21-preview2; see preview2.go.
	{"POST", threadsPath, "CreateThread", chatAPI, oldest, preview2, auth.ManageThreads, with((*server).createWithMembers), false},
	{"GET", threadPath, "GetThread", chatAPI, oldest, preview2, auth.Converse, (*server).getThreadWithMembers, false},
	{"PATCH", threadPath, "UpdateThread", chatAPI, oldest, preview2, auth.ManageThreads, answering(http.StatusOK, with((*server).updateThread)), false},
	{"GET", messagesPath, "ListMessages", chatAPI, oldest, preview2, auth.Converse, (*server).listOldMessages, false},
	{"GET", messagePath, "GetMessage", chatAPI, oldest, preview2, auth.Converse, (*server).getOldMessage, false},
	{"PATCH", messagePath, "UpdateMessage", chatAPI, oldest, preview2, auth.Converse, answering(http.StatusOK, with((*server).updateMessage)), false},
	{"GET", membersPath, "ListParticipants", chatAPI, oldest, preview2, auth.Converse, (*server).listMembers, false},
	{"POST", membersPath, "AddParticipants", chatAPI, oldest, preview2, auth.ManageParticipants, with((*server).addMembers), false},
	{"DELETE", membersPath + "/{participant}", "RemoveParticipant", chatAPI, oldest, preview2, auth.ManageParticipants, (*server).removeByPath, false},
	{"POST", receiptsPath, "SendReadReceipt", chatAPI, oldest, preview2, auth.Converse, answering(http.StatusCreated, with((*server).sendReadReceipt)), false},

	{"POST", identitiesPath, "CreateIdentity", identityAPI, identity2021, current, 0, withOptional((*server).createIdentity), false},
	{"GET", identityPath, "GetIdentity", identityAPI, identityEntra, current, 0, (*server).getIdentity, false},
	{"DELETE", identityPath, "DeleteIdentity", identityAPI, oldest, current, 0, (*server).deleteIdentity, false},
	{"POST", identityPath + "/:revokeAccessTokens", "RevokeTokens", identityAPI, identity2021, current, 0, (*server).revokeTokens, false},
	{"POST", identityPath + "/:issueAccessToken", "IssueToken", identityAPI, identity2021, current, 0, with((*server).issueToken), false},
	{"POST", "/teamsUser/:exchangeAccessToken", "ExchangeTeamsToken", identityAPI, identityTeamsOld, current, 0, with((*server).exchangeTeamsToken), false},
	{"POST", "/access/entra/:exchangeAccessToken", "ExchangeEntraToken", identityAPI, identityEntra, current, 0, (*server).exchangeEntraToken, false},
	{"POST", "/access/teamsExtension/:exchangeAccessToken", "ExchangeTeamsExtensionToken", identityAPI, identityTeamsExt, current, 0, (*server).exchangeEntraToken, false},

	// Until 2020-07-20-preview2; see identities_old.go.
	{"POST", identitiesPath, "CreateIdentity", identityAPI, oldest, identityOld, 0, (*server).createOldIdentity, false},
	{"PATCH", identityPath, "RevokeTokens", identityAPI, oldest, identityOld, 0, withOptional((*server).revokeBefore), false},
	{"POST", identityPath + "/token", "IssueToken", identityAPI, oldest, identityOld, 0, with((*server).issueOldToken), false},
}
