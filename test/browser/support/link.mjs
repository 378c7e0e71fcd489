// One websocket of a page, and what its two ends have not answered each other.

const eventPattern = /^5:(\d+)\+::/; // of the client, which the server acknowledges
const ackPattern = /^6:::(\d+)/;
const mark = "\ufffd"; // several packets share a message as mark, length, mark, packet

export class Link {
  isOpen = true;
  /** The answers of the client other than 200: it did not understand, or was not ready. */
  rejected = [];
  #unanswered = new Set(); // ids of frames from the server
  #unacknowledged = new Set(); // ids of events of the client

  /** Looks at a message from the server. */
  received(payload) {
    for (const packet of split(payload)) {
      const ack = ackPattern.exec(packet);
      if (ack) {
        this.#unacknowledged.delete(ack[1]);
      } else if (packet.startsWith("3:::")) {
        this.#unanswered.add(JSON.parse(packet.slice(4)).id);
      }
    }
  }

  /** Looks at a packet from the client. */
  sent(packet) {
    const event = eventPattern.exec(packet);
    if (event) {
      this.#unacknowledged.add(event[1]);
    } else if (packet.startsWith("3:::")) {
      const { id, status } = JSON.parse(packet.slice(4));
      if (status !== 200) {
        this.rejected.push(packet);
      }
      this.#unanswered.delete(id);
    }
  }

  closed() {
    this.isOpen = false;
  }

  /** Nothing is under way: each side has answered the other. */
  get isQuiet() {
    return !this.isOpen || this.#unanswered.size + this.#unacknowledged.size === 0;
  }
}

function* split(payload) {
  if (!payload.startsWith(mark)) {
    yield payload;
    return;
  }
  for (let at = 0; at < payload.length; ) {
    const begin = payload.indexOf(mark, at + 1) + 1;
    const end = begin + Number(payload.slice(at + 1, begin - 1));
    yield payload.slice(begin, end);
    at = end;
  }
}
