package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

// trustLines are the commands by which each runtime comes to trust the CA. $CA stands for the file of the CA, and $BUNDLE for one
// that also has the system's roots, for runtimes that trust exactly one file. README.md shows the same lines.
var trustLines = [][2]string{
	{"Node.js", "export NODE_EXTRA_CA_CERTS=$CA"},
	{"Python", "export REQUESTS_CA_BUNDLE=$BUNDLE SSL_CERT_FILE=$BUNDLE"},
	{
		"Java", `cat "$(java -XshowSettings:properties -version 2>&1 | sed -n 's/.*java.home = //p')/lib/security/cacerts" > truststore && ` +
			`keytool -importcert -noprompt -alias chatd -file $CA -keystore truststore -storepass changeit && ` +
			`export JAVA_TOOL_OPTIONS="-Djavax.net.ssl.trustStore=$PWD/truststore -Djavax.net.ssl.trustStorePassword=changeit"`,
	},
	{".NET (Linux), Go", "export SSL_CERT_FILE=$BUNDLE"},
	{"Azure CLI", "export REQUESTS_CA_BUNDLE=$BUNDLE"},
	{"Chromium (Linux)", "mkdir -p $HOME/.pki/nssdb && certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n chatd -i $CA"},
}

// trust returns the lines for the CA of a folder.
func trust(dir string) [][2]string {
	files := strings.NewReplacer(
		// Paths are quoted: on macOS the config folder is below "Application Support".
		"$CA", shellQuoted(filepath.Join(dir, caFile)),
		"$BUNDLE", shellQuoted(filepath.Join(dir, bundleFile)),
	)
	var lines [][2]string
	for _, line := range trustLines {
		lines = append(lines, [2]string{line[0], files.Replace(line[1])})
	}
	return lines
}

// writeTrust writes for each runtime how to trust the CA.
func writeTrust(b *strings.Builder, dir string) {
	b.WriteString("\nTrust the CA (one line for your runtime):\n")
	writeRows(b, trust(dir))
}

// plainWord matches what no shell treats specially.
var plainWord = regexp.MustCompile(`^[a-zA-Z0-9_@%+=:,./-]+$`)

// shellQuoted quotes a text as one word for a shell; the config folder of macOS has a space in it.
func shellQuoted(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
