import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that systems give to connections that go out: one that is let go for a moment stays free. */
const PORTS = { first: 10_000, last: 30_000 };

/** A port of the loopback on which nobody listens, for a server that ends and starts again where it was. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first));
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
