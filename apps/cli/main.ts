import 'reflect-metadata';
import { resolve } from 'node:path';
import { ArchiveRefused, DirectoryTaken, JournalRefused, JournalUnavailable, RevisionConflict } from '@jalon/journal';
import { Command } from 'commander';
import { ConfigRefused } from '../api/config.ts';
import type { Order } from '../api/control.ts';
import { VERSION } from '../api/product.ts';
import { carryOut, OrderFailed } from './hold.ts';
import { exportTo, type House, importFrom } from './house.ts';

/** What is told in one line; anything else is a bug, told with its stack. */
const FORESEEN = [
  ConfigRefused,
  JournalRefused,
  JournalUnavailable,
  RevisionConflict,
  ArchiveRefused,
  DirectoryTaken,
  RangeError,
  OrderFailed,
];

// Progress goes to standard error, so that standard output holds only results.
const say = (line: string) => void process.stderr.write(`${line}\n`);

const TITLES: Readonly<Record<string, string>> = {
  'Usage:': 'Emploi :',
  'Arguments:': 'Arguments :',
  'Options:': 'Options :',
  'Commands:': 'Commandes :',
};

const program = new Command('jalon')
  .description('Jalon, le moteur des procédures réglementées : outils en ligne de commande.')
  .version(VERSION, '-V, --version', 'affiche la version')
  .helpOption('-h, --help', 'affiche cette aide')
  .helpCommand('help [commande]', "affiche l'aide d'une commande")
  .configureHelp({ styleTitle: (title) => TITLES[title] ?? title })
  .usage('[options] [commande]')
  .option('--data <dossier>', 'dossier de données ; sinon celui de JALON_DATA, sinon ./data')
  .showHelpAfterError('(« jalon --help » donne les commandes.)');

const folder = () => resolve(program.opts<{ data?: string }>().data ?? (process.env.JALON_DATA || './data'));

const print = (result: string) => void process.stdout.write(`${result}\n`);

const act = async (order: Order) => print(await carryOut(folder(), order, say));

type Stores = { eventstore?: string; database?: string };

/** Where log and directory lie: where `--eventstore` and `--database`, or ESDB_URL and DATABASE_URL, say; else in the folder. */
const house = ({ eventstore = process.env.ESDB_URL, database = process.env.DATABASE_URL }: Stores): House => ({
  folder: folder(),
  ...(eventstore ? { eventStore: eventstore } : {}),
  ...(database ? { database } : {}),
});

const IN_EVENTSTORE = 'journal dans EventStoreDB (esdb://…) ; sinon ESDB_URL, sinon le dossier de données';
const IN_DATABASE = 'répertoire des personnes dans PostgreSQL (postgres://…) ; sinon DATABASE_URL, sinon le dossier';

program
  .command('sample')
  .description('enregistre les cas publics (SecNumCloud) par le moteur ; une seconde fois ne change rien')
  .action(() => act({ command: 'sample' }));

program
  .command('rebuild')
  .description('reconstruit les vues depuis le journal, à côté de celles qui servent, puis les remplace')
  .argument('[vue]', 'chronologie ou dossiers ; toutes si absente')
  .action((projection: string | undefined) =>
    act({ command: 'rebuild', ...(projection === undefined ? {} : { projection }) }),
  );

program
  .command('export')
  .description('écrit tout le journal et le répertoire des personnes dans un fichier, serveur en marche ou non')
  .argument('<fichier>', 'fichier à écrire (JSON, une ligne par fait)')
  .option('--eventstore <url>', IN_EVENTSTORE)
  .option('--database <url>', IN_DATABASE)
  .action(async (file: string, options: Stores) => print(await exportTo(file, house(options), say)));

program
  .command('import')
  .description('écrit un fichier exporté dans un journal vide, puis le relit ; reprend après une interruption')
  .argument('<fichier>', 'fichier exporté')
  .option('--eventstore <url>', IN_EVENTSTORE)
  .option('--database <url>', IN_DATABASE)
  .action(async (file: string, options: Stores) => print(await importFrom(file, house(options), say)));

program.parseAsync().catch((fault: unknown) => {
  const foreseen =
    FORESEEN.some((known) => fault instanceof known) || (fault as NodeJS.ErrnoException).code === 'ENOENT';
  say(foreseen ? (fault as Error).message : String((fault as Error).stack));
  process.exitCode = 1;
});
