// Package notify reads the journal and tells the listeners that are connected here.
//
// The Hub knows who listens, nothing of how: each wire protocol is a package of its own that subscribes. It promises each
// subscriber every event that its user may hear from the position of subscribing on, each once, and those of one thread in
// the order of their commits. Handing over never blocks: what a subscriber cannot take it must keep or refuse by itself.
package notify
