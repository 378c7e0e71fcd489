// Package notify reads the journal and hands its events to those who follow it in this process: subscribers, each for one user,
// and tails, which read the whole journal.
//
// The Hub knows who follows and nothing of how events travel: each wire protocol is a package of its own that subscribes. The
// hub offers a subscriber every event that its user may see from the position of subscribing on, each once, and those of one
// thread in the order of their commits. Offering never blocks: a subscriber that cannot take an event keeps track of that
// itself, and replays the journal later.
package notify
