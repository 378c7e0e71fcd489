package httpapi

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// served elsewhere: the server's own operations, in cmd/chatd.
var servedElsewhere = []string{"GetCA", "GetHealth", "GetReady", "GetMetrics", "GetVersion", "GetSigningKeys"}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// TestDocumentHasEveryRoute holds the table of routes and openapi.yaml equal: operation, method and path.
func TestDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	want, got := map[string]string{}, map[string]string{}
	for _, row := range routes {
		if !row.serves(newestChat) && row.api == chatAPI || !row.serves(newestIdentity) && row.api == identityAPI {
			continue // openapi.yaml describes these versions only
		}
		want[row.operation] = row.method + " " + parameter.ReplaceAllString(row.pattern, "{}")
	}
	for path, item := range document().Paths.Map() {
		for method, operation := range item.Operations() {
			if !slices.Contains(servedElsewhere, operation.OperationID) {
				got[operation.OperationID] = method + " " + parameter.ReplaceAllString(path, "{}")
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-routes +openapi.yaml):\n%s", diff)
	}
}

func TestDocumentHasTheServersOwnOperations(t *testing.T) {
	t.Parallel()
	var all []string
	for _, item := range document().Paths.Map() {
		for _, operation := range item.Operations() {
			all = append(all, operation.OperationID)
		}
	}
	for _, id := range servedElsewhere {
		if !slices.Contains(all, id) {
			t.Errorf("openapi.yaml has no operation %s", id)
		}
	}
}

// TestDocumentSchemasOfAnswersAreClosed guards the checks of answers: an open schema would let anything through.
func TestDocumentSchemasOfAnswersAreClosed(t *testing.T) {
	t.Parallel()
	seen := map[*openapi3.Schema]bool{}
	for path, item := range document().Paths.Map() {
		for method, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				for _, media := range response.Value.Content {
					closed(t, strings.Join([]string{method, path, status}, " "), media.Schema, seen)
				}
			}
		}
	}
}

func closed(t *testing.T, where string, ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	t.Helper()
	if ref == nil || seen[ref.Value] {
		return
	}
	s := ref.Value
	seen[s] = true
	more := s.AdditionalProperties
	if s.Type.Is("object") && more.Schema == nil && (more.Has == nil || *more.Has) {
		t.Errorf("%s: an object of the answer may have any field", where)
	}
	closed(t, where, s.Items, seen)
	for name, property := range s.Properties {
		closed(t, where+" "+name, property, seen)
	}
	for _, one := range s.OneOf {
		closed(t, where, one, seen)
	}
}

// TestDocumentNamesTheRequestFields holds the fields that are read and those that openapi.yaml names equal.
func TestDocumentNamesTheRequestFields(t *testing.T) {
	t.Parallel()
	named := map[string][]string{}
	for _, item := range document().Paths.Map() {
		for _, operation := range item.Operations() {
			if operation.RequestBody == nil {
				continue
			}
			for _, media := range operation.RequestBody.Value.Content {
				fields := slices.Sorted(maps.Keys(media.Schema.Value.Properties))
				// The kind of an identifier says nothing that the identifier does not, and is ignored.
				named[operation.OperationID] = slices.DeleteFunc(fields, func(name string) bool { return name == "kind" })
			}
		}
	}
	read := map[string][]string{}
	for operation, body := range requestTypes {
		read[operation] = fieldsOf(reflect.TypeOf(body).Elem())
	}
	if diff := cmp.Diff(read, named); diff != "" {
		t.Errorf("fields of requests (-read +openapi.yaml):\n%s", diff)
	}
}

func fieldsOf(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if !slices.Contains(otherVersions, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// otherVersions are fields that are read of requests of versions that openapi.yaml does not describe, and no field at all.
var otherVersions = []string{"", "messagingPolicy", "attachments", "customId", "externalId"}

// requestTypes are the bodies of the operations that take one.
var requestTypes = map[string]any{
	"CreateThread":       new(createThreadRequest),
	"UpdateThread":       new(updateThreadRequest),
	"SendMessage":        new(sendMessageRequest),
	"UpdateMessage":      new(updateMessageRequest),
	"AddParticipants":    new(addParticipantsRequest),
	"RemoveParticipant":  new(identifierModel),
	"SendReadReceipt":    new(sendReceiptRequest),
	"SendTyping":         new(typingRequest),
	"CreateIdentity":     new(createIdentityRequest),
	"IssueToken":         new(issueTokenRequest),
	"ExchangeTeamsToken": new(exchangeTeamsRequest),
}
