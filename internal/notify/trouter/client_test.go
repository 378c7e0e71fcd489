package trouter

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/chatd/chatd/internal/chat"
	"github.com/chatd/chatd/internal/web"
)

// testClient is a ChatClient in a web page: it speaks the protocol as @azure/communication-signaling does.
type testClient struct {
	w        *world
	user     chat.Identity
	token    string
	epid     string // empty for chat 1.0.0
	old      bool   // SDK before chat 1.5.2: the handshake has no token
	origin   string
	service  string     // trouterServiceUrl of the configuration; empty where the SDK has a built-in host
	params   url.Values // from the last allocation
	socketio string
	surl     string
	ccid     string
	client   string        // how it names itself, empty for the SDK for browsers
	marks    *clientMemory // of what it was told; without one it answers no questions
}

// markingClient is a client that keeps marks, as the SDK for JavaScript does.
func (w *world) markingClient(who chat.Identity, epid string) *testClient {
	p := w.newClient(who, epid)
	p.marks = &clientMemory{marks: map[pair]bool{}}
	return p
}

func (w *world) newClient(who chat.Identity, epid string) *testClient {
	return &testClient{w: w, user: who, token: string(who), epid: epid, origin: "https://app.example.com"}
}

// answer is one of HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request with an Origin; headers are "name: value".
func (w *world) do(method, address, origin, body string, headers ...string) answer {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, address, strings.NewReader(body))
	w.must(err)
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	response, err := w.client.Do(r)
	w.must(err)
	defer response.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(response.Body)
	w.must(err)
	return answer{response.StatusCode, response.Header, b.String()}
}

func (p *testClient) do(method, address, body string, headers ...string) answer {
	p.w.Helper()
	return p.w.do(method, address, p.origin, body, headers...)
}

func (p *testClient) tokenHeader() string { return "X-Skypetoken: " + p.token }

const origin = "http://chat.example.com"

// The SDK for browsers as it names itself to the configuration, and that of phones.
const (
	browserSDK = "azsdk-js-communication-signaling/1.0.0-beta.34 core-rest-pipeline/1.22.0 OS/Linux"
	phoneSDK   = "okhttp/4.12.0"
)

// configure asks for the configuration, as all SDKs do of late before the first allocation.
func (p *testClient) configure(sdk string) {
	p.w.Helper()
	a := p.do(http.MethodGet, origin+"/chat/config/realTimeNotifications?api-version=2024-09-01", "", "Authorization: Bearer "+p.token, "x-ms-useragent: "+sdk)
	var got map[string]string
	p.w.must(json.Unmarshal([]byte(a.body), &got))
	if p.service = got["trouterServiceUrl"]; a.status != http.StatusOK || strings.HasSuffix(p.service, "/") || got["registrarServiceUrl"] != origin || got["cloudType"] != "public" {
		p.w.Errorf("configuration is %d %q", a.status, a.body)
	}
}

// postAllocation asks for an allocation, with the params of the last one as the client does it.
func (p *testClient) postAllocation() answer {
	p.w.Helper()
	query := "cor_id=c&con_num=1_1"
	if p.epid != "" {
		query += "&epid=" + p.epid
	}
	target := cmp.Or(p.service, origin) + "/v4/a"
	if p.params != nil {
		target, query = p.socketio+"v4/a", query+"&"+p.joined()+"&v=v4"
	}
	return p.do(http.MethodPost, target+"?"+query, "", p.tokenHeader())
}

// joined is the connectparams as the client puts them into URLs: unescaped, and cut at the second "=".
func (p *testClient) joined() string {
	var parts []string
	for k, v := range p.params {
		value, _, _ := strings.Cut(v[0], "=")
		parts = append(parts, k+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

var (
	urlSafe   = regexp.MustCompile(`^[A-Za-z0-9_.~-]+$`)
	takenName = regexp.MustCompile(`^(v|tc|timeout|auth|epid|userActivity|audienceSubscriptionState|ccid|dom|cor_id|con_num|t|connected|scae)$`)
)

// allocation is the answer as a client reads it.
type allocated struct {
	Socketio      string         `json:"socketio"`
	Surl          string         `json:"surl"`
	URL           string         `json:"url"`
	TTL           string         `json:"ttl"`
	ID            string         `json:"id"`
	CCID          string         `json:"ccid"`
	Curlb         string         `json:"curlb"`
	Connectparams map[string]any `json:"connectparams"`
}

// allocate gets an allocation and checks what the client relies on.
func (p *testClient) allocate() allocated {
	p.w.Helper()
	a := p.postAllocation()
	var got allocated
	p.w.must(json.Unmarshal([]byte(a.body), &got))
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
		p.w.Errorf("allocation answers %d %q", a.status, a.header)
	}
	if got.Socketio != origin+"/" || !strings.HasPrefix(got.Surl, origin+"/v4/f/") || got.Surl != got.URL || got.ID == "" || got.ID != got.CCID {
		p.w.Errorf("allocation is %+v", got)
	}
	p.params, p.socketio, p.surl, p.ccid = url.Values{}, got.Socketio, got.Surl, got.CCID
	for k, v := range got.Connectparams {
		text, ok := v.(string)
		if !ok || !urlSafe.MatchString(text) || takenName.MatchString(k) {
			p.w.Errorf("connectparam %s is %v", k, v)
		}
		p.params.Set(k, text)
	}
	return got
}

// query is that of the handshake, which the transports repeat.
func (p *testClient) query() string {
	q := p.joined() + `&v=v4&tc=%7B%22cv%22:%222024.14.01.55%22,%22ua%22:%22` + cmp.Or(p.client, "acs-chat-web") + `%22,%22hr%22:%22%22,%22v%22:%221.0.0%22%7D&timeout=40&auth=true`
	if p.epid != "" {
		q += "&epid=" + p.epid
	}
	return q + `&userActivity=%7B%22state%22:%22active%22,%22cv%22:%22a+b/c.1%22%7D&ccid=` + p.ccid + `&dom=app.example.com&cor_id=c&con_num=1_1`
}

func (p *testClient) getHandshake() answer {
	p.w.Helper()
	var headers []string
	if !p.old {
		headers = append(headers, p.tokenHeader())
	}
	return p.do(http.MethodGet, p.socketio+"socket.io/1/?"+p.query()+"&t=1", "", headers...)
}

var handshakeAnswer = regexp.MustCompile(`^([A-Za-z0-9_.-]{32,}):(\d+):(\d+):websocket,xhr-polling$`)

// handshake makes the handshake and returns the session id.
func (p *testClient) handshake() string {
	p.w.Helper()
	a := p.getHandshake()
	parts := handshakeAnswer.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || parts == nil || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		p.w.Fatalf("handshake answers %d %q", a.status, a.body)
	}
	for _, seconds := range parts[2:] {
		if n, err := strconv.Atoi(seconds); err != nil || n < 60 {
			p.w.Errorf("the client would time out after %s seconds", seconds)
		}
	}
	return parts[1]
}

// upgrade opens the websocket of a session.
func (p *testClient) upgrade(sid string) (*websocket.Conn, *http.Response, error) {
	p.w.Helper()
	header := http.Header{}
	if p.origin != "" {
		header.Set("Origin", p.origin)
	}
	c, response, err := websocket.Dial(p.w.Context(), p.socketio+"socket.io/1/websocket/"+sid+"?"+p.query(), &websocket.DialOptions{
		HTTPClient: p.w.client, HTTPHeader: header,
	})
	if err == nil {
		if got := response.Header.Get("Access-Control-Allow-Origin"); got != p.origin {
			p.w.Errorf("the upgrade allows %q, want %q", got, p.origin)
		}
		c.SetReadLimit(-1)
		p.w.Cleanup(func() { _ = c.CloseNow() })
	}
	return c, response, err
}

// refusedUpgrade returns the status of an upgrade that is refused.
func (p *testClient) refusedUpgrade(sid string) int {
	p.w.Helper()
	_, response, err := p.upgrade(sid)
	if err == nil {
		p.w.Fatal("the upgrade was not refused")
	}
	return response.StatusCode
}

// connect goes all the way and reads the greeting.
func (p *testClient) connect() *clientConn {
	p.w.Helper()
	p.allocate()
	return p.attach(p.handshake())
}

// attach opens the websocket of a session and reads the greeting.
func (p *testClient) attach(sid string) *clientConn {
	p.w.Helper()
	ws, _, err := p.upgrade(sid)
	p.w.must(err)
	c := &clientConn{Conn: ws, p: p}
	go c.read(context.Background())
	greeting := c.packets()
	if len(greeting) < 2 {
		p.w.Fatalf("the server says %q, ended with %v", greeting, c.err())
	}
	c.pushBack(greeting[2:]...)
	checkGreeting(p.w, greeting)
	return c
}

func checkGreeting(w *world, packets []string) {
	w.Helper()
	var event struct {
		Name string           `json:"name"`
		Args []map[string]any `json:"args"`
	}
	if len(packets) < 2 || packets[0] != "1::" || json.Unmarshal([]byte(strings.TrimPrefix(packets[1], "5:1::")), &event) != nil {
		w.Fatalf("the server begins with %q", packets)
	}
	if event.Name != "trouter.connected" || len(event.Args) != 1 || event.Args[0]["ttl"] != 604800.0 || event.Args[0]["dur"] != "604800000" || len(event.Args[0]) != 2 {
		w.Errorf("the server begins with %s", packets[1])
	}
}

// register tells the registrar of the client.
func (p *testClient) register(template string) {
	p.w.Helper()
	if a := p.postRegistration(origin, registrationOf(p.epid, template, p.surl)); a.status != http.StatusAccepted || a.body != "" {
		p.w.Errorf("the registrar answers %d %q", a.status, a.body)
	}
}

func (p *testClient) postRegistration(base, body string) answer {
	p.w.Helper()
	return p.do(http.MethodPost, base+"/v3/registrations", body, p.tokenHeader(), "Content-Type: application/json")
}

// registrationOf is the body as JavaScript sends it.
func registrationOf(id, template, surl string) string {
	return `{"clientDescription":{"appId":"AcsWeb","aesKey":"","languageId":"en-US","platform":"SPOOL","templateKey":"` + template +
		`","platformUIVersion":"0.0.0"},"registrationId":"` + id + `","nodeId":"","transports":{"TROUTER":[{"context":"","path":"` + surl + `","ttl":7200}]}}`
}

// unregister is what stop() does after it closed the connection.
func (p *testClient) unregister() {
	p.w.Helper()
	if a := p.do(http.MethodDelete, origin+"/v3/registrations/"+p.epid, "", p.tokenHeader()); a.status != http.StatusAccepted {
		p.w.Errorf("the registrar answers %d", a.status)
	}
}

// clientConn is a websocket of a client. What arrives is kept until the test asks.
type clientConn struct {
	*websocket.Conn
	p        *testClient
	acks     int
	dropping atomic.Bool // what arrives is lost in the network

	mu        sync.Mutex
	packetsIn []string
	ended     error
}

func (c *clientConn) read(ctx context.Context) {
	for {
		_, data, err := c.Read(ctx)
		c.mu.Lock()
		if err != nil {
			c.ended = err
			c.mu.Unlock()
			return
		}
		if c.dropping.Load() {
			c.mu.Unlock()
			continue
		}
		packets := unframed(string(data))
		c.packetsIn = append(c.packetsIn, packets...)
		c.mu.Unlock()
		for _, packet := range packets {
			for _, answer := range c.p.handle(packet) {
				_ = c.Write(ctx, websocket.MessageText, []byte(answer))
			}
		}
	}
}

// handle does what the client does at once, and returns its answers.
func (p *testClient) handle(packet string) []string {
	switch {
	case packet == "2::":
		return []string{packet}
	case p.marks != nil:
		return p.marks.handle(packet)
	}
	return nil
}

// clientMemory is what a web page keeps for as long as it lives.
type clientMemory struct {
	mu     sync.Mutex
	marks  map[pair]bool
	texts  []string // texts of messages
	silent bool     // its answers are lost in the network
	acks   int
}

func (m *clientMemory) handle(packet string) (answers []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if body, ok := strings.CutPrefix(packet, "3:::"); ok {
		var f frame
		if json.Unmarshal([]byte(body), &f) == nil && json.Unmarshal([]byte(f.Body), &f.payload) == nil {
			m.texts = append(m.texts, f.text())
		}
	}
	var event struct {
		Name string `json:"name"`
		Args []struct {
			Pairs []pair `json:"droppedIndicators"`
		} `json:"args"`
	}
	if body, ok := strings.CutPrefix(packet, "5:1::"); !ok || json.Unmarshal([]byte(body), &event) != nil || event.Name != "trouter.message_loss" {
		return nil
	}
	var before, fresh []pair
	for _, p := range event.Args[0].Pairs {
		if m.marks[p] {
			before = append(before, p)
		} else {
			fresh = append(fresh, p)
		}
	}
	for _, pairs := range [][]pair{before, fresh} {
		if len(pairs) == 0 {
			continue
		}
		m.acks++
		answers = append(answers, "5:"+strconv.Itoa(1000+m.acks)+`+::{"name":"trouter.processed_message_loss","args":[{"droppedIndicators":`+string(web.EncodeJSON(pairs))+`}]}`)
		for _, p := range pairs {
			m.marks[p] = true
		}
	}
	if m.silent {
		return nil
	}
	return answers
}

// deliveredTexts returns the texts of all messages that the client received.
func (p *testClient) deliveredTexts() []string {
	synctest.Wait()
	p.marks.mu.Lock()
	defer p.marks.mu.Unlock()
	return slices.Clone(p.marks.texts)
}

func (c *clientConn) pushBack(packets ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.packetsIn = append(packets, c.packetsIn...)
}

// packets returns what arrived since the last time, when nothing moves any more.
func (c *clientConn) packets() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.packetsIn
	c.packetsIn = nil
	return out
}

// err returns why the connection ended, nil while it lasts.
func (c *clientConn) err() error {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// code returns the close code of the server, -1 when it closed without, 0 while the connection lasts.
func (c *clientConn) code() websocket.StatusCode {
	if err := c.err(); err != nil {
		return websocket.CloseStatus(err)
	}
	return 0
}

func (c *clientConn) write(packet string) {
	c.p.w.Helper()
	c.p.w.must(c.Write(c.p.w.Context(), websocket.MessageText, []byte(packet)))
}

// emit sends an event that wants an acknowledgement, and returns the arguments of that.
func (c *clientConn) emit(event string) string {
	c.p.w.Helper()
	c.acks++
	id := strconv.Itoa(c.acks)
	c.write("5:" + id + "+::" + event)
	packets := c.packets()
	i := slices.IndexFunc(packets, func(p string) bool { return strings.HasPrefix(p, "6:::"+id+"+") })
	if i < 0 {
		c.p.w.Errorf("no acknowledgement of %s among %q", event, packets)
		return ""
	}
	args := strings.TrimPrefix(packets[i], "6:::"+id+"+")
	c.pushBack(slices.Delete(packets, i, i+1)...)
	return args
}

// frame is a request of the server.
type frame struct {
	ID      int64             `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	payload map[string]any
}

// text is the text of the message that it tells of.
func (f *frame) text() string {
	text, _ := f.payload["messageBody"].(string)
	return text
}

func texts(frames []frame) []string {
	out := []string{}
	for i := range frames {
		out = append(out, frames[i].text())
	}
	return out
}

// frames returns the events that arrived; other packets are skipped.
func (c *clientConn) frames() []frame {
	c.p.w.Helper()
	return c.p.parse(c.packets())
}

func (p *testClient) parse(packets []string) []frame {
	p.w.Helper()
	var out []frame
	for _, packet := range packets {
		body, ok := strings.CutPrefix(packet, "3:::")
		if !ok {
			continue
		}
		var f frame
		decode := json.NewDecoder(strings.NewReader(body))
		decode.DisallowUnknownFields()
		p.w.must(decode.Decode(&f))
		p.w.must(json.Unmarshal([]byte(f.Body), &f.payload))
		if f.Method != http.MethodPost || !strings.HasPrefix(f.URL, strings.TrimPrefix(p.surl, origin)) || f.Headers["MS-CV"] == "" {
			p.w.Errorf("frame is %s", body)
		}
		out = append(out, f)
	}
	return out
}

// answer responds to frames as the client does, each time followed by a ping.
func (c *clientConn) answer(status int, frames ...frame) {
	c.p.w.Helper()
	for _, f := range frames {
		c.write(response(f, status))
	}
	synctest.Wait()
}

func response(f frame, status int) string {
	return `3:::{"id":` + strconv.FormatInt(f.ID, 10) + `,"status":` + strconv.Itoa(status) + `,"headers":{"MS-CV":"` + f.Headers["MS-CV"] + `.0","trouter-client":"{\"cd\":1}"},"body":""}`
}

// receive returns the texts of the messages that arrived, and acknowledges them.
func (c *clientConn) receive() []string {
	c.p.w.Helper()
	frames := c.frames()
	c.answer(http.StatusOK, frames...)
	return texts(frames)
}

// cut ends the connection as a lost network does.
func (c *clientConn) cut() {
	_ = c.CloseNow()
	synctest.Wait()
}

// leave is what stop() does: it says so and closes.
func (c *clientConn) leave() {
	c.p.w.Helper()
	c.write("0::")
	err := c.Close(websocket.StatusNormalClosure, "")
	if err != nil && !errors.As(err, new(websocket.CloseError)) && !errors.Is(err, io.EOF) {
		c.p.w.Logf("closing: %v", err)
	}
	synctest.Wait()
}
