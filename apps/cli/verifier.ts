import 'reflect-metadata';
import { parentPort, workerData } from 'node:worker_threads';
import { StreamsCheck } from '@jalon/proof';
import { catalogue } from '@jalon/workflows';
import { openSource, type Where } from './verified-source.ts';

/** What a verifying thread is given. */
export type VerifierTask = { where: Where; until: bigint };

// A thread of « jalon verify --journal »: it is posted names of streams, and posts back what it found in them.
const { where, until } = workerData as VerifierTask;
const source = await openSource(where);
const check = new StreamsCheck(source, (name, version) => catalogue.find(name, version), until);
parentPort?.on('message', (streams: string[] | null) => {
  if (streams === null) {
    void source.close().then(() => parentPort?.close());
    return;
  }
  check.check(streams).then(
    (found) => parentPort?.postMessage(found, [found.met.buffer as ArrayBuffer]),
    // Told by the thread's end.
    (error) => {
      throw error;
    },
  );
});
