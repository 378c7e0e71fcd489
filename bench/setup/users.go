package setup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/chatd/chatd/internal/auth"
)

// User is a user with a token for it.
type User struct{ ID, Token string }

// users makes users by the Identity API, as an app's own server does.
func (n *Node) users(ctx context.Context, count int) ([]User, error) {
	out := make([]User, count)
	for i := range out {
		var answer struct {
			Identity    struct{ ID string }
			AccessToken struct{ Token string }
		}
		if err := n.identity(ctx, "/identities", `{"createTokenWithScopes":["chat"]}`, &answer); err != nil {
			return nil, err
		}
		out[i] = User{answer.Identity.ID, answer.AccessToken.Token}
	}
	return out, nil
}

func (n *Node) identity(ctx context.Context, path, body string, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Plain+path+"?api-version=2023-10-01", bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if err := auth.Sign(r, []byte(body), accessKey, time.Now()); err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("POST %s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
