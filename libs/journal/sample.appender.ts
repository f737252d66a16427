// A process of its own for the specs that kill one: opens a folder, then appends for ever and says each thing that
// happens in one line. What fails is appended again, as the engine does. Arguments: folder, characters of each payload.
import { setTimeout } from 'node:timers/promises';
import type { NewEvent } from './envelope.ts';
import type { Journal } from './journal.ts';
import { openSqliteJournal } from './open.sqlite.ts';
import { sampleFact } from './sample.ts';

const [folder = '', size = '100'] = process.argv.slice(2);
const data = { texte: 'x'.repeat(Number(size)) };
const say = (line: string) => process.stdout.write(`${line}\n`);

async function appendUntilStored(journal: Journal, fact: NewEvent): Promise<void> {
  for (;;) {
    try {
      await journal.append(fact.envelope.stream, fact.envelope.revision - 1, [fact]);
      return;
    } catch (error) {
      say(`failed ${error}`);
      await setTimeout(10);
    }
  }
}

async function appendForever(journal: Journal, stream: string): Promise<void> {
  for (let previous: NewEvent | null = null; ; ) {
    const fact = sampleFact(stream, { data, previous });
    await appendUntilStored(journal, fact);
    say(`stored ${fact.envelope.id}`);
    previous = fact;
  }
}

try {
  const { journal } = await openSqliteJournal(folder);
  say('open');
  await Promise.all(Array.from({ length: 8 }, (_, i) => appendForever(journal, `dossier-${process.pid}-${i}`)));
} catch (error) {
  say(`refused ${error}`);
}
