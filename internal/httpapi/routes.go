package httpapi

import "github.com/chatd/chatd/internal/auth"

type api int

const (
	chatAPI api = iota
	identityAPI
)

// route is a row of the table of all routes.
type route struct {
	method    string
	pattern   string
	operation string // label in logs and metrics, operationId in openapi.yaml
	api       api
	since     Version         // first api-version that has it
	need      auth.Capability // what a user token must allow; Identity has no user tokens
	handle    func(*server, *call) (reply, error)
}

// routes is the whole surface. Segments that begin with a colon are literal.
var routes = []route{
	{"POST", "/chat/threads", "CreateThread", chatAPI, chat2021, auth.ManageThreads, with((*server).createThread)},
	{"GET", "/chat/threads", "ListThreads", chatAPI, chat2021, auth.Converse, (*server).listThreads},
	{"GET", "/chat/threads/{thread}", "GetThread", chatAPI, chat2021, auth.Converse, (*server).getThread},
	{"PATCH", "/chat/threads/{thread}", "UpdateThread", chatAPI, chat2021, auth.ManageThreads, with((*server).updateThread)},
	{"DELETE", "/chat/threads/{thread}", "DeleteThread", chatAPI, chat2021, auth.ManageThreads, (*server).deleteThread},

	{"POST", "/chat/threads/{thread}/messages", "SendMessage", chatAPI, chat2021, auth.Converse, with((*server).sendMessage)},
	{"GET", "/chat/threads/{thread}/messages", "ListMessages", chatAPI, chat2021, auth.Converse, (*server).listMessages},
	{"GET", "/chat/threads/{thread}/messages/{message}", "GetMessage", chatAPI, chat2021, auth.Converse, (*server).getMessage},
	{"PATCH", "/chat/threads/{thread}/messages/{message}", "UpdateMessage", chatAPI, chat2021, auth.Converse, with((*server).updateMessage)},
	{"DELETE", "/chat/threads/{thread}/messages/{message}", "DeleteMessage", chatAPI, chat2021, auth.Converse, (*server).deleteMessage},

	{"GET", "/chat/threads/{thread}/participants", "ListParticipants", chatAPI, chat2021, auth.Converse, (*server).listParticipants},
	{"POST", "/chat/threads/{thread}/participants/:add", "AddParticipants", chatAPI, chat2021, auth.ManageParticipants, with((*server).addParticipants)},
	{"POST", "/chat/threads/{thread}/participants/:remove", "RemoveParticipant", chatAPI, chat2021, auth.ManageParticipants, with((*server).removeParticipant)},

	{"POST", "/chat/threads/{thread}/readReceipts", "SendReadReceipt", chatAPI, chat2021, auth.Converse, with((*server).sendReadReceipt)},
	{"GET", "/chat/threads/{thread}/readReceipts", "ListReadReceipts", chatAPI, chat2021, auth.Converse, (*server).listReadReceipts},
	{"POST", "/chat/threads/{thread}/typing", "SendTyping", chatAPI, chat2021, auth.Converse, withOptional((*server).sendTyping)},

	{"POST", "/identities", "CreateIdentity", identityAPI, identity2021, 0, withOptional((*server).createIdentity)},
	{"DELETE", "/identities/{identity}", "DeleteIdentity", identityAPI, identity2021, 0, (*server).deleteIdentity},
	{"POST", "/identities/{identity}/:revokeAccessTokens", "RevokeTokens", identityAPI, identity2021, 0, (*server).revokeTokens},
	{"POST", "/identities/{identity}/:issueAccessToken", "IssueToken", identityAPI, identity2021, 0, with((*server).issueToken)},
	{"POST", "/teamsUser/:exchangeAccessToken", "ExchangeTeamsToken", identityAPI, identityTeams, 0, with((*server).exchangeTeamsToken)},
}
