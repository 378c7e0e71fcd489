// One websocket of a page, and what its two ends know of each other's receipt.

const eventPattern = /^5:(\d+)\+?::/; // of the client, which the server acknowledges
const ackPattern = /^6:::(\d+)/;
const messageReceived = 200;

export class Link {
  isOpen = true;
  /** The chat messages that came, in order: their id, and when the client knew that the server knew. */
  deliveries = [];
  /** The answers of the client other than 200: it did not understand, or was not ready. */
  rejected = [];
  #unanswered = new Map(); // deliveries by the id of their frame
  #answered = []; // deliveries that the next event of the client vouches for
  #unacknowledged = new Map(); // deliveries by the id of the event after them

  /** Looks at a frame from the server. */
  received(payload) {
    const ack = ackPattern.exec(payload);
    if (ack) {
      for (const delivery of this.#unacknowledged.get(ack[1]) ?? []) {
        delivery.knownAt = Date.now();
      }
      this.#unacknowledged.delete(ack[1]);
    } else if (payload.startsWith("3:::")) {
      const { id, body } = JSON.parse(payload.slice(4));
      const { eventId, messageId } = JSON.parse(body);
      const delivery = { messageId, knownAt: Infinity };
      this.#unanswered.set(id, delivery);
      if (eventId === messageReceived) {
        this.deliveries.push(delivery);
      }
    }
  }

  /** Looks at a frame from the client. They are processed in order, so one that is acknowledged vouches for those before. */
  sent(payload) {
    const event = eventPattern.exec(payload);
    if (event) {
      this.#unacknowledged.set(event[1], this.#answered.splice(0));
    } else if (payload.startsWith("3:::")) {
      const { id, status } = JSON.parse(payload.slice(4));
      if (status !== 200) {
        this.rejected.push(payload);
      }
      this.#answered.push(this.#unanswered.get(id));
      this.#unanswered.delete(id);
    }
  }

  closed() {
    this.isOpen = false;
    this.closedAt = Date.now();
  }

  /** Nothing is under way: each side has answered the other. */
  get isQuiet() {
    return !this.isOpen || this.#unanswered.size + this.#unacknowledged.size === 0;
  }

  /** The messages of which the server may not have known that they arrived, a moment before the connection broke. */
  doubtful(moment) {
    return this.deliveries.filter(({ knownAt }) => knownAt > this.closedAt - moment).map(({ messageId }) => messageId);
  }
}
