// npm run bench -- <name>…: each bench by its name, one after the other; without a name, the table of the README.
import 'reflect-metadata';
import { benchAudit } from './audit.ts';
import { benchConsole } from './console.ts';
import { benchCorrections } from './corrections.ts';
import { benchDelivery } from './delivery.ts';
import { benchEventStore } from './eventstore.ts';
import { benchProduct } from './product.ts';
import { machine } from './table.ts';

type Bench = { about: string; run: (say: (line: string) => void) => Promise<string> };

const BENCHES: Readonly<Record<string, Bench>> = {
  product: { about: 'the table of the README: replay, rebuild, advance and read over HTTP', run: benchProduct },
  audit: { about: 'past states, bundles over a long log, verification of a whole journal', run: benchAudit },
  console: { about: 'the console in a browser: what each interaction takes, over 10,000 dossiers', run: benchConsole },
  corrections: {
    about: 'one fact corrected 500 times: health while 50 readers come from the start',
    run: benchCorrections,
  },
  delivery: { about: 'streams, the feed, webhooks: how soon, how many, beside appends', run: benchDelivery },
  eventstore: {
    about: 'appends and catch-up over EventStoreDB’s protocol (ESDB_URL: a real server too) and PostgreSQL, memory',
    run: benchEventStore,
  },
};

const names = process.argv.length > 2 ? process.argv.slice(2) : ['product'];
const say = (line: string) => void process.stderr.write(`${line}\n`);

if (names.some((name) => !(name in BENCHES))) {
  const overview = Object.entries(BENCHES).map(([name, { about }]) => `  ${name.padEnd(12)}${about}`);
  say(`npm run bench -- <name>…, where a name is one of:\n${overview.join('\n')}`);
  process.exitCode = 1;
} else
  for (const name of names) {
    const result = await (BENCHES[name] as Bench).run(say);
    process.stdout.write(`${machine()}\n\n${result}\n`);
  }
