// A way to a server that can be cut: a TCP proxy on this machine.
import { connect, createServer } from "node:net";

export class Network {
  #sockets = new Set();
  #isCut = false;

  /** Opens a way to the server of the endpoint; clients have to use its endpoint. */
  static async open(endpoint) {
    const network = new Network();
    const { hostname, port } = new URL(endpoint);
    network.server = createServer((client) => network.#carry(client, () => connect(port, hostname)));
    await new Promise((resolve) => network.server.listen(0, "127.0.0.1", resolve));
    network.endpoint = `https://127.0.0.1:${network.server.address().port}`;
    return network;
  }

  #carry(client, dial) {
    this.#watch(client);
    if (this.#isCut) {
      return; // as if its packets went nowhere
    }
    const server = dial();
    this.#watch(server);
    const end = () => [client, server].forEach((socket) => socket.destroy());
    client.on("close", end).pipe(server).on("close", end).pipe(client);
  }

  #watch(socket) {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  /** Stops all traffic. Neither side is notified: to both, the other just stops answering. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** Lets traffic through again. What was under way is lost and all old connections break. */
  restore() {
    this.#isCut = false;
    this.reset();
  }

  /** Breaks all connections. */
  reset() {
    for (const socket of this.#sockets) {
      socket.resetAndDestroy();
    }
  }

  close() {
    this.server.close();
    this.reset();
  }
}
