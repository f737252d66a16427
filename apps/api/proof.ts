import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { either, type Journal, rest } from '@jalon/journal';
import { Lease, type PostgresReadModels } from '@jalon/projections';
import {
  HeadFile,
  KeyFile,
  KeyNotHeld,
  Keys,
  MerkleLog,
  Notary,
  openPostgresProof,
  openSqliteProof,
  originOf,
  ProofStore,
  Prover,
  readSqliteProof,
  Sealer,
  type StoredCheckpoint,
  Witnesses,
} from '@jalon/proof';
import { type Config, witnessOf } from './config.ts';
import type { Alarm } from './read-models.ts';

/** How often a process that does not hold the current key looks whether it does. */
const SEEK_KEY_MS = 2_000;

/** Where the private key lies in a data folder, unless JALON_KEY_FILE says otherwise. */
const KEY_FILE = 'cle.pem';

/** The last head that was signed lies beside the key, unless JALON_HEAD_FILE says otherwise. */
const HEAD_FILE = 'tete';

/** The log of proofs: what gives proofs, and what signs, in this process or in another. */
export type Proving = {
  prover: Prover;
  notary: Notary;
  keys: Keys;
  sealer: Sealer;
  witnesses: Witnesses;
  /** Cuts a last checkpoint when it is this process that signs. */
  stop(): Promise<void>;
};

type Parts = {
  folder: string;
  journal: Journal;
  clock: () => Date;
  alarm: Alarm;
  config: Pick<
    Config,
    'DATABASE_URL' | 'JALON_ROLES' | 'JALON_ORIGIN' | 'JALON_KEY_FILE' | 'JALON_HEAD_FILE' | 'JALON_WITNESSES'
  >;
  /** The database that processes share, if they do: there one of them signs. */
  shared: PostgresReadModels | undefined;
};

/** Where a signer keeps its private key, and the last head that it signed. */
export type SignerFiles = { key: string; head: string };

/** The files of who signs in a data folder, or where the configuration says. */
export function signerFiles(
  folder: string,
  { JALON_KEY_FILE, JALON_HEAD_FILE }: Partial<Pick<Config, 'JALON_KEY_FILE' | 'JALON_HEAD_FILE'>> = {},
): SignerFiles {
  const key = JALON_KEY_FILE ?? join(folder, KEY_FILE);
  return { key, head: JALON_HEAD_FILE ?? join(dirname(key), HEAD_FILE) };
}

/**
 * Opens the log of proofs and begins to follow the journal, and to sign when it is this process's turn. A database that is
 * away is told once, and found again when it is back.
 * @throws OriginTaken when JALON_ORIGIN is not the folder's own, JournalRefused when the folder holds something else
 */
export async function openProving({ folder, journal, clock, alarm, config, shared }: Parts): Promise<Proving> {
  const { DATABASE_URL, JALON_ORIGIN, JALON_ROLES, JALON_WITNESSES } = config;
  const store = new ProofStore(DATABASE_URL === undefined ? openSqliteProof(folder) : openPostgresProof(DATABASE_URL));
  // What lay in the folder before there was a database moves there: origin, keys and checkpoints cannot be derived.
  const own = DATABASE_URL === undefined ? null : readSqliteProof(folder);
  const draw = () => `jalon-${randomBytes(8).toString('hex')}`;
  const origin = async () => {
    if (own) await store.adopt(new ProofStore(own));
    return originOf(store, JALON_ORIGIN, draw);
  };
  const files = signerFiles(folder, config);
  const keys = new Keys(store, new KeyFile(files.key), clock);
  const head = new HeadFile(files.head);
  const onTrouble = (err: unknown) => alarm('checkpoints cannot be cut, and will be tried again', { err });
  const witnesses = new Witnesses({
    witnesses: JALON_WITNESSES.map(witnessOf),
    store,
    consistency: (from, to) => new MerkleLog(store).consistency(from, to),
    onRefused: (err) => alarm('a witness refuses to cosign the log', { err }),
  });
  const onSigned = (checkpoint: StoredCheckpoint) => witnesses.submit(checkpoint);
  const cosigned = (checkpoint: StoredCheckpoint) => witnesses.cosigned(checkpoint);
  const notary = new Notary({
    store,
    journal,
    keys,
    head,
    origin,
    clock,
    shared: shared !== undefined,
    onTrouble,
    onSigned,
  });
  const prover = new Prover({ store, journal, notary, cosigned, shared: shared !== undefined });
  const sealer = new Sealer({
    store,
    keys,
    origin,
    shared: shared !== undefined,
    assertExtends: () => notary.assertExtends(),
  });
  const stopping = new AbortController();
  let signing: Promise<void> = Promise.resolve();
  if (shared === undefined) {
    await origin().catch(async (fault) => {
      await store.close();
      throw fault;
    });
    signing = signAndAsk(notary, witnesses, stopping.signal);
  } else if (JALON_ROLES.includes('signer')) {
    const lease = new Lease({ database: shared, role: 'signer', onError: onTrouble });
    const holdsKey = async () => void (await keys.signer(await origin()));
    signing = signInTurn({ notary, witnesses, lease, holdsKey, onTrouble }, stopping.signal);
  }
  const stop = async () => {
    stopping.abort();
    await signing;
    await own?.close();
    await store.close();
  };
  return { prover, notary, keys, sealer, witnesses, stop };
}

/** Signs, and has witnesses asked as long as it is this process that signs. */
async function signAndAsk(notary: Notary, witnesses: Witnesses, over: AbortSignal): Promise<void> {
  const asking = either(over);
  const asked = witnesses.run(asking.signal);
  await notary.run(over).finally(asking.release);
  await asked;
}

type Turns = {
  notary: Notary;
  witnesses: Witnesses;
  lease: Lease;
  holdsKey: () => Promise<void>;
  onTrouble: (error: unknown) => void;
};

/** Of all processes that share a log one signs at a time, and only one that holds its current key. */
async function signInTurn(
  { notary, witnesses, lease, holdsKey, onTrouble }: Turns,
  stopping: AbortSignal,
): Promise<void> {
  let failing = false;
  while (!stopping.aborted) {
    try {
      await holdsKey();
      failing = false;
      const turn = new AbortController();
      const over = either(stopping, turn.signal);
      await lease.hold(async (_tenure, resigned) => {
        await signAndAsk(notary, witnesses, resigned);
        turn.abort();
      }, over.signal);
      over.release();
    } catch (error) {
      // That another process holds the key is as it should be.
      if (!(error instanceof KeyNotHeld) && !failing && !stopping.aborted) onTrouble(error);
      failing = !(error instanceof KeyNotHeld);
      await rest(SEEK_KEY_MS, stopping);
    }
  }
}
