package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
)

// help is chatd help: the commands and all settings.
func help(_ context.Context, p *program, _ *config) error {
	var b strings.Builder
	b.WriteString("chatd is a chat server that speaks the REST APIs of Azure Communication Services Chat and Identity.\n\n")
	b.WriteString("Usage: chatd [command] [flags]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-9s%s\n", c.name, c.help)
	}
	b.WriteString("\nchatd COMMAND -help lists the flags of a command; these are all settings.\n")
	writeSettings(&b, settings)
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}

// printUsage prints what one command takes.
func (p *program) printUsage(c *command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: chatd %s [flags]\n\n%s.\n", strings.TrimSpace(c.name+" "+c.operands), strings.ToUpper(c.help[:1])+c.help[1:])
	if c.flags != nil {
		b.WriteString("\nArguments:\n")
		// Only to list them; configure has its own, where they are parsed.
		flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.flags(flags, &config{})
		flags.VisitAll(func(f *flag.Flag) { writeFlag(&b, "--"+f.Name, f.Usage, f.DefValue) })
	}
	var used []setting
	for _, s := range settings {
		if s.usedBy(c.name) {
			used = append(used, s)
		}
	}
	writeSettings(&b, used)
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}

// writeSettings lists settings with their variables and defaults.
func writeSettings(b *strings.Builder, settings []setting) {
	if len(settings) == 0 {
		return
	}
	b.WriteString("\nSettings, by flag or environment variable; the flag wins:\n")
	for _, s := range settings {
		writeFlag(b, "--"+s.name+", "+s.variables(), s.help, s.shown())
	}
}

// writeFlag writes one flag in the form of package flag. A default that is empty or false is left out.
func writeFlag(b *strings.Builder, names, help, initial string) {
	fmt.Fprintf(b, "  %s\n        %s", names, help)
	if initial != "" && initial != "false" {
		fmt.Fprintf(b, " (default %s)", initial)
	}
	b.WriteString("\n")
}

// variables names the environment variable, and for a secret also the one that names a file.
func (s *setting) variables() string {
	if s.secret {
		return s.env() + ", " + s.env() + "_FILE"
	}
	return s.env()
}

// settingsTable is the table of settings in the README, in Markdown. TestSettingsInReadme compares the two, so that a new
// setting cannot be forgotten there.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| flag | variable | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, s := range settings {
		initial := ""
		if v, more, _ := strings.Cut(s.shown(), "; "); v != "" {
			initial = "`" + v + "`"
			if s.initial == wellKnownKey {
				initial = v
			}
			if more != "" {
				initial += "; " + strings.ReplaceAll(more, "chatd serve", "`chatd serve`")
			}
		}
		variables := "`" + strings.ReplaceAll(s.variables(), ", ", "`, `") + "`"
		fmt.Fprintf(&b, "| `--%s` | %s | %s | %s |\n", s.name, variables, initial, s.help)
	}
	return b.String()
}
