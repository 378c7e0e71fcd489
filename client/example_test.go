package client_test

import (
	"context"
	"fmt"
	"log"

	"github.com/chatd/chatd/client"
)

// A program that keeps the position of the last event it handled misses nothing between its runs.
func ExampleFollow() {
	position := "" // from the last run
	token := func(context.Context) (string, error) {
		return "a user token with the scope chat", nil // at each connection, so that it may be renewed
	}
	err := client.Follow(context.Background(), "https://chat.example.com", token, client.Options{After: position}, func(e client.Event) error {
		switch e.Kind {
		case client.MessageReceived:
			fmt.Println(e.Message.SenderDisplayName, e.Message.Content.Message)
		case client.Gap:
			fmt.Println("read over REST what may have been missed")
		}
		if e.Position != "" { // a gap has none
			position = e.Position
		}
		return nil
	})
	log.Print(err)
}

// A bot that needs a single event opens one connection.
func ExampleDial() {
	ctx := context.Background()
	c, err := client.Dial(ctx, "https://chat.example.com", "a user token", client.Options{Threads: []string{"19:acsV1_abc@thread.v2"}})
	if err != nil {
		log.Print(err)
		return
	}
	defer c.Close()
	e, err := c.Next(ctx)
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(e.Kind, "in", e.ThreadID)
}
