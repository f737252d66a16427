// @ts-check
/**
 * The thread that owns the write connections of a data folder, so that no event loop waits for a disk.
 *
 * It receives batches (whatever was asked while it was busy), runs each in one transaction with a savepoint per request,
 * and answers all of them after one COMMIT, hence one fsync. Plain JavaScript: Node 20 loads no TypeScript in a worker.
 *
 * @import { Answer, AppendRequest, Batch, DirectoryRequest, Outcome, WriterFiles } from './writer.sqlite.ts'
 */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';

const port = /** @type {import('node:worker_threads').MessagePort} */ (parentPort);
const files = /** @type {WriterFiles} */ (workerData);

/** Errors after which SQLite may have dropped the whole transaction: nothing of the batch can be kept. */
const FATAL = /^SQLITE_(FULL|IOERR|READONLY|CORRUPT|NOTADB|NOMEM|BUSY|LOCKED|INTERRUPT|CANTOPEN|PROTOCOL)/;

/**
 * A write connection that keeps what it acknowledged through a power loss. Settings are read back, never trusted:
 * better-sqlite3 is compiled with synchronous=NORMAL for WAL, and some file systems refuse WAL silently.
 * @param {string} file
 */
function openDurable(file) {
  const db = new Database(file, { fileMustExist: true, timeout: 5000 });
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('fullfsync = ON'); // macOS: fsync alone stops at the drive's cache. No effect elsewhere.
  db.pragma('checkpoint_fullfsync = ON');
  db.pragma('journal_size_limit = 67108864');
  const { journal_mode, synchronous } = settings(db);
  if (journal_mode !== 'wal' || synchronous !== 2)
    throw new Error(`${file} cannot be made durable: journal_mode=${journal_mode}, synchronous=${synchronous}`);
  return db;
}

/** @param {Database.Database} db */
function settings(db) {
  return {
    journal_mode: String(db.pragma('journal_mode', { simple: true })),
    synchronous: Number(db.pragma('synchronous', { simple: true })),
  };
}

/** @param {Database.Database} db */
function journalWriter(db) {
  const lastPosition = db.prepare('select max(position) from events').pluck();
  const head = db.prepare('select max(revision) from events where stream = ?').pluck();
  const stored = db.prepare('select id, position from events where stream = ? and revision = ?').raw();
  const positionOf = db.prepare('select position from events where id = ?').pluck();
  const insert = db.prepare(
    'insert into events (position, stream, revision, id, type, data, meta) values (?, ?, ?, ?, ?, ?, ?)',
  );

  /** @type {(request: AppendRequest) => Outcome} */
  return ([stream, expected, ...texts]) => {
    const count = texts.length / 4;
    // Nothing to append: whether anything could be is what is asked. What is written is what is there.
    if (count === 0) {
      db.pragma(`user_version = ${db.pragma('user_version', { simple: true })}`);
      return 0;
    }
    const actual = /** @type {number | null} */ (head.get(stream)) ?? -1;
    if (actual !== expected) {
      const position = actual < expected + count ? null : positionOfSame(stream, expected, texts);
      return position ?? { failed: 'conflict', actual };
    }
    let position = /** @type {number | null} */ (lastPosition.get()) ?? 0;
    for (let i = 0; i < texts.length; i += 4) {
      const id = texts[i];
      if (positionOf.get(id) !== undefined) return { failed: 'taken', id: String(id) };
      position += 1;
      insert.run(position, stream, expected + 1 + i / 4, id, texts[i + 1], texts[i + 2], texts[i + 3]);
    }
    return position;
  };

  /**
   * Where an append that is already stored ends: the very same ids follow the expected revision. Else null.
   * @param {string} stream
   * @param {number} expected
   * @param {string[]} texts
   */
  function positionOfSame(stream, expected, texts) {
    let position = null;
    for (let i = 0; i < texts.length; i += 4) {
      const row = /** @type {[string, number] | undefined} */ (stored.get(stream, expected + 1 + i / 4));
      if (row === undefined || row[0] !== texts[i]) return null;
      position = row[1];
    }
    return position;
  }
}

/** @param {Database.Database} db */
function directoryWriter(db) {
  const addPerson = db.prepare('insert into persons values (?, ?, ?, ?, ?) on conflict do nothing');
  const commitment = db.prepare('select commitment from persons where iss = ? and sub = ? and name = ?').pluck();
  const forget = db.prepare('delete from persons where iss = ? and sub = ?');
  const keep = db.prepare('insert into erasables values (?, ?, ?) on conflict do nothing');
  const drop = db.prepare('delete from erasables where id = ?');

  /** @type {(request: DirectoryRequest) => Outcome} */
  return ([act, ...values]) => {
    if (act === 'keep') return keep.run(values).changes;
    if (act === 'drop') return drop.run(values).changes;
    if (act === 'forget') return forget.run(values).changes;
    if (act === 'purge') return 0;
    addPerson.run(values);
    return String(commitment.get(values.slice(0, 3)));
  };
}

/**
 * Runs the requests of a batch in one transaction: one that fails takes only itself away, a failing disk takes all.
 * @template Request
 * @param {Database.Database} db
 * @param {(request: Request) => Outcome} write
 */
function batchRunner(db, write) {
  const [begin, savepoint, release, undo, commit] = [
    'begin immediate',
    'savepoint one',
    'release one',
    'rollback to one',
    'commit',
  ].map((sql) => db.prepare(sql));

  /** @param {Request} request @returns {Outcome} */
  function attempt(request) {
    savepoint?.run();
    /** @type {Outcome} */
    let outcome;
    try {
      outcome = write(request);
    } catch (error) {
      const { code = '', message } = /** @type {{ code?: string, message: string }} */ (error);
      if (FATAL.test(code)) throw error;
      outcome = { failed: 'refused', message };
    }
    if (typeof outcome === 'object') undo?.run();
    release?.run();
    return outcome;
  }

  /** @param {Request[]} requests @returns {Outcome[]} */
  return (requests) => {
    let committing = false;
    try {
      begin?.run();
      const outcomes = requests.map(attempt);
      committing = true;
      commit?.run();
      return outcomes;
    } catch (error) {
      if (db.inTransaction) db.exec('rollback');
      const { code = '', message } = /** @type {{ code?: string, message: string }} */ (error);
      // A COMMIT that could not write or sync may have left its frames on the disk; anything before it left nothing.
      const failed = committing && code.startsWith('SQLITE_IOERR') ? 'unknown' : 'unavailable';
      return requests.map(() => ({ failed, message: `${message} (${code})` }));
    }
  };
}

const directory = openDurable(files.directory);
directory.pragma('secure_delete = ON');
directory.pragma('busy_timeout = 1000');
// What VACUUM writes anew stays out of the system's temporary folder.
directory.pragma('temp_store = MEMORY');
const runDirectory = batchRunner(directory, directoryWriter(directory));
const journal = files.journal === null ? null : openDurable(files.journal);
const runJournal = journal && batchRunner(journal, journalWriter(journal));
/** @type {Outcome} */
const NO_JOURNAL = { failed: 'refused', message: 'this folder was opened for its directory only' };
let erasing = false;

port.on('message', (/** @type {Batch} */ batch) => {
  if (batch.to === 'close') close();
  else post({ from: batch.to, outcomes: batch.to === 'journal' ? append(batch.requests) : direct(batch.requests) });
});
post({
  ready: {
    ...settings(journal ?? directory),
    secure_delete: Number(directory.pragma('secure_delete', { simple: true })),
  },
});

/** @param {Answer} answer */
function post(answer) {
  port.postMessage(answer);
}

/** @param {AppendRequest[]} requests */
function append(requests) {
  return runJournal === null ? requests.map(() => NO_JOURNAL) : runJournal(requests);
}

/** @param {DirectoryRequest[]} requests */
function direct(requests) {
  const outcomes = runDirectory(requests);
  erasing ||= requests.some(([act]) => act === 'drop' || act === 'forget');
  // What was erased must not survive in the WAL either. A reader in its way: again after the next batch.
  if (erasing) erasing = !checkpoint(directory);
  return requests.some(([act]) => act === 'purge') ? purged(requests, outcomes) : outcomes;
}

/**
 * Outside of any transaction, the whole file is written anew: secure_delete overwrites what is deleted, but not what pages
 * that were split or merged left behind between their cells.
 * @param {DirectoryRequest[]} requests
 * @param {Outcome[]} outcomes
 */
function purged(requests, outcomes) {
  /** @type {Outcome} */
  let outcome = 0;
  try {
    directory.exec('vacuum');
    if (!checkpoint(directory)) outcome = { failed: 'unavailable', message: 'a reader is in the way' };
  } catch (error) {
    outcome = { failed: 'unavailable', message: /** @type {Error} */ (error).message };
  }
  erasing ||= typeof outcome === 'object';
  return outcomes.map((done, i) => (requests[i]?.[0] === 'purge' ? outcome : done));
}

function close() {
  for (const db of journal ? [journal, directory] : [directory]) {
    checkpoint(db);
    db.close();
  }
  port.close();
}

/**
 * Moves the WAL into the file and empties it; false when a reader is in the way.
 * @param {Database.Database} db
 */
function checkpoint(db) {
  const [result] = /** @type {{ busy: number }[]} */ (db.pragma('wal_checkpoint(TRUNCATE)'));
  return result?.busy === 0;
}
