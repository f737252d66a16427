import { generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../test/eventually.ts';
import { readCheckpoint, signCheckpoint } from './checkpoint.ts';
import { cosign, cosignaturesOf } from './cosignature.ts';
import type { KeyPair } from './key-file.ts';
import { IN_SQLITE, LogOnTest } from './log-on-test.ts';
import { type NoteSigner, noteKey, readVerifierKey, signNote, verifierKey } from './note.ts';
import type { StoredCheckpoint } from './store.ts';
import { EMPTY_ROOT, type Hash } from './tree.ts';
import { Witness } from './witness.ts';
import { writeConsistencyRequest } from './witness-request.ts';
import { type ServedWitness, serveWitness } from './witness-server.ts';
import { Witnesses, type WitnessesParts, type WitnessPace, type WitnessRefused } from './witnesses.ts';

const ORIGIN = 'journal.example.fr';

function newPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicKey: Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url') };
}

function signerOf(name: string, { privateKey, publicKey }: KeyPair): NoteSigner {
  return { key: noteKey(name, publicKey), privateKey };
}

/** A tree as RFC 6962 defines it, by recursion over all leaves: slow, and nothing of the product's. */
const naive = {
  root(leaves: readonly Hash[]): Hash {
    if (leaves.length === 0) return EMPTY_ROOT;
    if (leaves.length === 1) return leaves[0] as Hash;
    const k = naive.split(leaves.length);
    return naive.node(naive.root(leaves.slice(0, k)), naive.root(leaves.slice(k)));
  },
  proof(m: number, leaves: readonly Hash[], isWhole = true): Hash[] {
    if (m === leaves.length) return isWhole ? [] : [naive.root(leaves)];
    const k = naive.split(leaves.length);
    return m <= k
      ? [...naive.proof(m, leaves.slice(0, k), isWhole), naive.root(leaves.slice(k))]
      : [...naive.proof(m - k, leaves.slice(k), false), naive.root(leaves.slice(0, k))];
  },
  split: (n: number) => 2 ** Math.floor(Math.log2(n - 1)),
  node: (left: Hash, right: Hash) => hash('sha256', Buffer.concat([Buffer.of(1), left, right]), 'buffer'),
};

const leaves = Array.from({ length: 40 }, () => randomBytes(32));
const log = signerOf(ORIGIN, newPair());

function checkpoint(size: number, of: readonly Hash[] = leaves, signer = log): string {
  return signCheckpoint({ origin: signer.key.name, size, root: naive.root(of.slice(0, size)) }, [signer]);
}

function asking(old: number, size: number, of: readonly Hash[] = leaves): string {
  const proof = old === 0 ? [] : naive.proof(old, of.slice(0, size));
  return writeConsistencyRequest({ old, proof, note: checkpoint(size, of) });
}

let folder: string;
let pair: KeyPair;
let now: Date;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'jalon-temoin-'));
  pair = newPair();
  now = new Date('2026-03-01T08:00:00.900Z');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function witness(logs = [log.key], name: string | undefined = 'temoin.example.fr'): Witness {
  return new Witness({ folder, pair, name, draw: () => 'temoin-tire', logs, clock: () => now });
}

describe('a witness (C2SP tlog-witness)', () => {
  test('cosigns each checkpoint that extends the last, at its own instant, under a key of its own kind', () => {
    const seeing = witness();
    for (const [old, size] of [
      [0, 0],
      [0, 5],
      [5, 5],
      [5, 8],
      [8, 9],
      [9, 40],
    ] as const) {
      const { status, body } = seeing.addCheckpoint(asking(old, size));
      expect(status).toBe(200);
      expect(cosignaturesOf(checkpoint(size) + body, [seeing.key])).toEqual([{ key: seeing.key, at: 1772352000 }]);
    }
    expect(readVerifierKey(verifierKey(seeing.key, 'cosignature'), 'cosignature')).toEqual(seeing.key);
    expect(() => readVerifierKey(verifierKey(seeing.key, 'cosignature'))).toThrow(RangeError);
    seeing.close();
  });

  test('remembers what it cosigned when it is started again, and which name it has', () => {
    const before = witness();
    expect(before.addCheckpoint(asking(0, 7)).status).toBe(200);
    before.close();
    expect(() => witness([log.key], 'autre')).toThrow('temoin.example.fr');
    expect(() => witness([log.key], 'deux mots')).toThrow(RangeError);
    const after = witness([log.key], undefined);
    expect(after.key).toEqual(before.key);
    expect(after.addCheckpoint(asking(0, 9))).toEqual({ status: 409, type: 'text/x.tlog.size', body: '7\n' });
    expect(after.addCheckpoint(asking(7, 9)).status).toBe(200);
    after.close();
  });

  test('two processes on one folder never cosign a step back', () => {
    const [one, other] = [witness(), witness()];
    expect(one.addCheckpoint(asking(0, 12)).status).toBe(200);
    expect(other.addCheckpoint(asking(0, 5))).toMatchObject({ status: 409, body: '12\n' });
    expect(other.seen()).toMatchObject([{ origin: ORIGIN, size: 12 }]);
    one.close();
    other.close();
  });

  const forked = leaves.with(3, randomBytes(32));
  test.each([
    ['a fork below what it cosigned', () => asking(8, 12, forked), 422],
    ['another root of the same size', () => asking(8, 8, forked), 409],
    ['a step back', () => asking(5, 6), 409],
    [
      'a proof of something else',
      () => asking(8, 12).replace('old 8\n', `old 8\n${randomBytes(32).toString('base64')}\n`),
      422,
    ],
    ['an old size beyond the checkpoint', () => asking(5, 6).replace('old 5', 'old 7'), 400],
    [
      'a log that it does not watch',
      () => `old 0\n\n${checkpoint(3, leaves, signerOf('ailleurs.fr', newPair()))}`,
      404,
    ],
    [
      'another key under the name of the log',
      () => `old 0\n\n${checkpoint(3, leaves, signerOf(ORIGIN, newPair()))}`,
      403,
    ],
    ['a signature over something else', () => asking(8, 12).replace('\n12\n', '\n13\n'), 403],
    ['no request at all', () => 'bonjour', 400],
    ['a note that is no checkpoint', () => `old 8\n\n${signNote('un\ndeux\n', [log])}`, 400],
    ['a negative size', () => asking(8, 12).replace('old 8', 'old -8'), 400],
    ['a size with leading zeroes', () => asking(8, 12).replace('old 8', 'old 08'), 400],
    ['no old size', () => asking(8, 12).replace('old 8\n', ''), 400],
  ])('does not cosign %s, and remembers nothing of it', (_, request, status) => {
    const seeing = witness();
    seeing.addCheckpoint(asking(0, 8));
    const before = seeing.seen();
    const answer = seeing.addCheckpoint(request());
    expect(answer.status).toBe(status);
    expect(answer.body).not.toContain('\u2014');
    expect(seeing.seen()).toEqual(before);
    seeing.close();
  });

  test('watches several keys of one log, so that its key may be replaced', () => {
    const next = signerOf(ORIGIN, newPair());
    const seeing = witness([log.key, next.key]);
    expect(seeing.addCheckpoint(asking(0, 4)).status).toBe(200);
    const proof = naive.proof(4, leaves.slice(0, 6));
    const note = checkpoint(6, leaves, next);
    expect(seeing.addCheckpoint(writeConsistencyRequest({ old: 4, proof, note })).status).toBe(200);
    seeing.close();
  });

  test('a cosignature says nothing of another checkpoint, instant or key', () => {
    const signer = { key: noteKey('w', pair.publicKey, 'cosignature'), privateKey: pair.privateKey };
    const line = cosign(checkpoint(4), signer, 1_000);
    expect(cosignaturesOf(checkpoint(4) + line, [signer.key])).toHaveLength(1);
    expect(cosignaturesOf(checkpoint(5) + line, [signer.key])).toEqual([]);
    expect(cosignaturesOf(checkpoint(4) + line, [noteKey('w', newPair().publicKey, 'cosignature')])).toEqual([]);
    const bytes = Buffer.from(line.trim().split(' ')[2] as string, 'base64');
    for (let at = 4; at < bytes.length; at++) {
      const bent = Buffer.from(bytes);
      bent[at] = (bent[at] as number) ^ 1;
      expect(cosignaturesOf(`${checkpoint(4)}\u2014 w ${bent.toString('base64')}\n`, [signer.key])).toEqual([]);
    }
  });
});

describe('a log with witnesses', () => {
  let proof: LogOnTest;
  let seeing: Witness;
  let served: ServedWitness;
  const stopping: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    proof = await LogOnTest.open(IN_SQLITE);
    await proof.record('dossier-a', 3);
    seeing = witness((await proof.prover.keys()).map((key) => key));
    served = await serveWitness(seeing, '127.0.0.1', 0);
  });

  afterEach(async () => {
    for (const stop of stopping.splice(0)) await stop();
    await served.close();
    seeing.close();
    await proof.close();
  });

  /** Witnesses of the log that are asked until the test ends. */
  function asked(
    urls: string[],
    pace: Partial<WitnessPace> = {},
    consistency: WitnessesParts['consistency'] = (from, to) => proof.prover.consistency(from, to),
  ) {
    const refusals: WitnessRefused[] = [];
    const witnesses = new Witnesses({
      witnesses: urls.map((url) => ({ key: seeing.key, url })),
      store: proof.store,
      consistency,
      onRefused: (refused) => refusals.push(refused),
      pace: { firstPause: 5, longestPause: 20, ...pace },
    });
    const over = new AbortController();
    const running = witnesses.run(over.signal);
    stopping.push(async () => {
      over.abort();
      await running;
    });
    return { witnesses, refusals };
  }

  const isCosigned = (note = '') => cosignaturesOf(note, [seeing.key]).length === 1;

  async function cut(): Promise<StoredCheckpoint> {
    return proof.notary.covering((await proof.record('dossier-a')).at(-1)?.position ?? null);
  }

  test('each checkpoint carries the cosignatures of the witnesses that are at hand', async () => {
    const { witnesses } = asked([served.url]);
    for (let i = 0; i < 3; i++) {
      const fresh = await cut();
      witnesses.submit(fresh);
      const { note, size } = await witnesses.cosigned(fresh);
      expect(size).toBe(fresh.size);
      expect(cosignaturesOf(note, witnesses.keys)).toHaveLength(1);
      expect((await proof.store.latestCheckpoint())?.note).toBe(note);
    }
    expect(witnesses.status()).toMatchObject([
      { name: 'temoin.example.fr', status: 'ok', size: seeing.seen()[0]?.size },
    ]);
  });

  test('a checkpoint that was kept before is cosigned when the log is started again', async () => {
    await cut();
    await proof.stop();
    await proof.start({ onSigned: (checkpoint) => asked([served.url]).witnesses.submit(checkpoint) });
    await until(async () => isCosigned((await proof.store.latestCheckpoint())?.note));
  });

  test('an absent witness delays nothing, is told, and cosigns once it is there', async () => {
    const { port } = new URL(served.url);
    await served.close();
    const { witnesses, refusals } = asked([`http://127.0.0.1:${port}`], { patience: 60_000 });
    witnesses.submit(await cut());
    await until(async () => witnesses.status()[0]?.status === 'absent');
    // With a minute's patience: it is not waited for.
    const fresh = await cut();
    witnesses.submit(fresh);
    expect(await witnesses.cosigned(fresh)).toEqual(fresh);
    expect(refusals).toEqual([]);
    served = await serveWitness(seeing, '127.0.0.1', Number(port));
    await until(async () => witnesses.status()[0]?.size === fresh.size);
    expect(witnesses.status()[0]).toEqual({ name: 'temoin.example.fr', status: 'ok', size: fresh.size });
    expect(cosignaturesOf((await proof.store.latestCheckpoint())?.note ?? '', [seeing.key])).toHaveLength(1);
  });

  test('a log that went back, or was rewritten, gets no cosignature and is told so', async () => {
    const { witnesses } = asked([served.url]);
    const fresh = await cut();
    witnesses.submit(fresh);
    await witnesses.cosigned(fresh);
    const seenThen = seeing.seen();

    const signer = await proof.keys.signer('journal.example');
    for (const size of [fresh.size - 1, fresh.size, fresh.size + 2]) {
      const root = naive.root(Array.from({ length: size }, () => randomBytes(32)));
      const note = signCheckpoint({ origin: 'journal.example', size, root }, [signer]);
      const { refusals, witnesses: forking } = asked([served.url], {}, async () => [randomBytes(32)]);
      forking.submit({ size, position: null, note });
      await until(async () => forking.status()[0]?.status === 'refused');
      expect(refusals).toHaveLength(1);
    }
    expect(seeing.seen()).toEqual(seenThen);
  });

  test('what claims to be a witness and answers anything else is refused, and its lines are not kept', async () => {
    const answers = [
      '',
      'bonjour\n',
      `\u2014 temoin.example.fr ${randomBytes(76).toString('base64')}\n`,
      'x'.repeat(100_000),
    ];
    for (const answer of answers) {
      const server = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { witnesses } = asked([`http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
      const fresh = await cut();
      witnesses.submit(fresh);
      await until(async () => witnesses.status()[0]?.reason !== undefined);
      expect((await proof.store.latestCheckpoint())?.note).toBe(fresh.note);
      server.closeAllConnections();
      server.close();
    }
  });

  test('the server of a witness takes bodies of 64 KiB, and says at its root what it cosigned', async () => {
    const post = (body: string) => fetch(`${served.url}/add-checkpoint`, { method: 'POST', body });
    expect((await post('a'.repeat(65_537))).status).toBe(413);
    expect((await post('a'.repeat(65_536))).status).toBe(400);
    expect((await fetch(`${served.url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(`${served.url}/autre`)).status).toBe(404);
    const { note } = await cut();
    const answer = await post(writeConsistencyRequest({ old: 0, proof: [], note }));
    expect(answer.status).toBe(200);
    const summary = await (await fetch(`${served.url}/`)).text();
    expect(summary).toBe(
      `${verifierKey(seeing.key, 'cosignature')}\n\n${now.toISOString()}\n${note}${await answer.text()}`,
    );
    expect(readCheckpoint(summary.split('\n').slice(3).join('\n')).size).toBe(4);
  });
});
