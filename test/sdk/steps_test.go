//go:build unix

package sdk_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chatd/chatd/test/process"
)

func nodeSteps(t *testing.T, s server, line string) {
	t.Parallel()
	installJavaScript(t)
	p := newProject(t, s)
	p.link("node_modules", "js/node_modules")
	p.write("first.mjs", fmt.Sprintf(`
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { ChatClient } from "@azure/communication-chat";
const identity = %s;
const { token } = await identity.createUserAndToken(["chat"]);
const chat = %s;
await chat.createChatThread({ topic: "first steps" });
console.log("connected");
`, connect(t, "JavaScript")...))
	p.trusts(line, "node", "first.mjs")
}

func pythonSteps(t *testing.T, s server, line string) {
	interpreter := installPython(t)
	p := newProject(t, s)
	p.write("first.py", fmt.Sprintf(`
import asyncio, os
from azure.communication.chat import ChatClient, CommunicationTokenCredential
from azure.communication.identity import CommunicationIdentityClient
from azure.communication.identity.aio import CommunicationIdentityClient as AsyncIdentityClient

CONNECTION = os.environ["CONNECTION"]
identity = %s
_, issued = identity.create_user_and_token(["chat"])
token = issued.token
chat = %s
chat.create_chat_thread("first steps")

async def user():
    async with AsyncIdentityClient.from_connection_string(CONNECTION) as identity:
        await identity.create_user()

asyncio.run(user())
print("connected")
`, connect(t, "Python")...))
	p.trusts(line, interpreter, "first.py")
}

// Of the Azure CLI the commands are an extension that Microsoft publishes separately. It is made of the Python SDK of
// identities, which is run here by the CLI's line and the variable that the CLI's commands read.
func cliSteps(t *testing.T, s server, line string) {
	interpreter := installPython(t)
	p := newProject(t, s)
	variable, _, _ := strings.Cut(connect(t, "Azure CLI")[0].(string), "=")
	p.write("first.py", fmt.Sprintf(`
import os
from azure.communication.identity import CommunicationIdentityClient
CommunicationIdentityClient.from_connection_string(os.environ[%q]).create_user()
print("connected")
`, strings.TrimPrefix(variable, "export ")))
	p.trusts(line+"\n"+connect(t, "Azure CLI")[0].(string), interpreter, "first.py")
}

func javaSteps(t *testing.T, s server, line string) {
	t.Parallel()
	process.RequireTools(t, "java", "keytool", "mvn")
	jars, err := filepath.Abs("java/target/jars")
	if err != nil {
		t.Fatal(err)
	}
	process.Install(t, jars, func() {
		process.Run(t, "java", nil, "mvn", "-B", "-q", "-Dstyle.color=never", "dependency:copy-dependencies", "-DoutputDirectory="+jars)
	}, "java/pom.xml")
	p := newProject(t, s)
	p.write("First.java", fmt.Sprintf(`
import com.azure.communication.chat.*;
import com.azure.communication.chat.models.*;
import com.azure.communication.common.*;
import com.azure.communication.identity.*;
import com.azure.communication.identity.models.*;
import java.util.List;

class First {
    public static void main(String[] args) {
        String CONNECTION = System.getenv("CONNECTION");
        CommunicationIdentityClient identity = %s;
        String token = identity.createUserAndToken(List.of(CommunicationTokenScope.CHAT)).getUserToken().getToken();
        ChatClient chat = %s;
        chat.createChatThread(new CreateChatThreadOptions("first steps"));
        System.out.println("connected");
        System.exit(0);
    }
}
`, connect(t, "Java")...))
	p.trusts(line, "java", "-cp", jars+"/*", "First.java")
}

// The .NET SDK is not at hand; on Linux its runtime reads the variable that Go reads too.
func goSteps(t *testing.T, s server, line string) {
	t.Parallel()
	p := newProject(t, s)
	program := filepath.Join(p.dir, "first")
	p.write("first.go", `package main

import (
	"fmt"
	"log"
	"net/http"
)

func main() {
	response, err := http.Get("https://localhost:8443/readyz")
	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	fmt.Println("connected")
}
`)
	process.Run(t, p.dir, []string{"GOFLAGS="}, "go", "build", "-o", program, "first.go")
	p.trusts(line, program)
}

func chromiumSteps(t *testing.T, s server, line string) {
	t.Parallel()
	process.RequireTools(t, "chromium", "certutil")
	p := newProject(t, s)
	// What is read is the page, as a browser shows a page about the certificate and ends as if all were well.
	p.write("browse", `#!/bin/sh
chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync \
  --no-first-run --user-data-dir="$PWD/profile" --dump-dom https://localhost:8443/version | grep -q '"version"' && echo connected
`)
	p.trusts(line, "sh", "browse")
}
