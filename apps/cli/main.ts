import 'reflect-metadata';
import { resolve } from 'node:path';
import { DossierNotFound, HistoryUnreadable, MomentNotFound } from '@jalon/engine';
import { ArchiveRefused, DirectoryTaken, JournalRefused, JournalUnavailable, RevisionConflict } from '@jalon/journal';
import { ProjectedNowhere, ReadModelsUnavailable, RebuildFailed } from '@jalon/projections';
import {
  HeadFileRefused,
  KeyFileRefused,
  KeyNotHeld,
  LogDiverged,
  NoteRefused,
  OriginTaken,
  ProofUnavailable,
} from '@jalon/proof';
import { Command } from 'commander';
import { ConfigRefused } from '../api/config.ts';
import type { Order } from '../api/control.ts';
import { EraseRefused, type Erasure } from '../api/erase.ts';
import { MendRefused } from '../api/mend.ts';
import { VERSION } from '../api/product.ts';
import { signerFiles } from '../api/proof.ts';
import { exportTo } from './export.ts';
import { askServer, carryOut, OrderFailed } from './hold.ts';
import { type House, importFrom } from './house.ts';
import { compared, type Ends, MomentRefused, replayed } from './past.ts';
import { readableHouse } from './readable.ts';
import { recordedByServer, recordReading } from './reading.ts';
import { VerificationRefused, type Verified, verifyFile } from './verify.ts';
import { verifyWhole } from './verify-journal.ts';
import { visible } from './visible.ts';
import { watch } from './witness.ts';

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
  EraseRefused,
  MendRefused,
  ProjectedNowhere,
  RebuildFailed,
  ReadModelsUnavailable,
  MomentRefused,
  DossierNotFound,
  MomentNotFound,
  HistoryUnreadable,
  HeadFileRefused,
  KeyFileRefused,
  KeyNotHeld,
  LogDiverged,
  NoteRefused,
  OriginTaken,
  ProofUnavailable,
  VerificationRefused,
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

const print = (result: string) => void process.stdout.write(`${result.split('\n').map(visible).join('\n')}\n`);

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
  .argument('[vue]', 'chronologie ou dossiers ; toutes si absente ; ou preuve : l’arbre des preuves')
  .action((projection: string | undefined) =>
    act({ command: 'rebuild', ...(projection === undefined ? {} : { projection }) }),
  );

type WitnessOptions = { log: string[]; folder: string; name?: string; host: string; port: string };

type Verification = Stores & {
  key?: string[];
  witness?: string[];
  json?: true;
  journal?: string | true;
  archive?: string;
  checkpoint?: string[];
  head?: string;
  threads?: string;
};

program
  .command('verify')
  .description(
    'vérifie, sans serveur, un dossier emporté (sceau, preuves, chaîne, rejeu), un journal entier ou un fichier exporté ; sortie 0 si tout tient',
  )
  .argument('[fichier]', 'fichier donné par GET /api/dossiers/{id}/bundle')
  .option('--key <cle...>', 'clé publique connue d’ailleurs : nom+id+base64, ou fichier JWK, JWK set ou PEM')
  .option('--witness <cle...>', 'clé d’un témoin, qui doit avoir cosigné le point de contrôle du fichier')
  .option('--json', 'rapport en JSON')
  .option('--journal [dossier]', 'le journal d’un dossier de données, serveur en marche ou non')
  .option('--archive <fichier>', 'un fichier écrit par « jalon export »')
  .option('--checkpoint <fichier...>', 'point de contrôle gardé ailleurs, que le journal doit encore vérifier')
  .option('--head <fichier>', 'la dernière tête signée, gardée hors du dossier ; « tete » à côté de la clé si absente')
  .option('--threads <nombre>', 'fils d’exécution ; autant que de cœurs si absent')
  .option('--eventstore <url>', IN_EVENTSTORE)
  .option('--database <url>', IN_DATABASE)
  .action(async (file: string | undefined, options: Verification) => {
    const { ok, lines, report } = await verification(file, options);
    print(options.json ? JSON.stringify(report) : lines.join('\n'));
    if (!ok) process.exitCode = 1;
  });

async function verification(file: string | undefined, options: Verification): Promise<Verified> {
  const {
    key: given = [],
    witness: witnesses = [],
    journal,
    archive,
    checkpoint: checkpoints = [],
    threads,
    eventstore,
    head,
  } = options;
  const isWhole = journal !== undefined || archive !== undefined || eventstore !== undefined;
  if (isWhole === (file !== undefined))
    throw new VerificationRefused('Donnez un fichier à vérifier, ou --journal, ou --archive.');
  if (file !== undefined) return verifyFile(file, given, witnesses);
  if (witnesses.length > 0)
    throw new VerificationRefused('--witness va avec un fichier de dossier : ce sont ses cosignatures qu’il porte.');
  if (threads !== undefined && !/^[1-9]\d?$/.test(threads))
    throw new VerificationRefused('--threads donne un nombre de 1 à 99.');
  const { eventStore: _, ...inFolder } = house(options);
  // A folder that is named holds its journal itself, whatever the environment says.
  const place = typeof journal === 'string' ? { ...inFolder, folder: resolve(journal) } : house(options);
  const signer = signerFiles(place.folder, {
    ...(typeof journal === 'string' ? {} : process.env),
    ...(head === undefined ? {} : { JALON_HEAD_FILE: head }),
  });
  const verify = (from: House) =>
    verifyWhole({
      house: from,
      signer,
      ...(archive === undefined ? {} : { archive }),
      checkpoints,
      keys: given,
      ...(threads === undefined ? {} : { threads: Number(threads) }),
      say,
    });
  const verified = archive === undefined ? await readableHouse(place, say, verify) : await verify(place);
  if (archive === undefined) await recordVerification(place, verified);
  return verified;
}

/** What does not hold is left as it was found; nothing of what is withheld from anybody was shown. */
async function recordVerification(place: House, { ok }: Verified): Promise<void> {
  const data = { operation: 'jalon verify', tient: ok };
  const reading = { command: 'reading', type: 'acces.journal-verifie', data } as const;
  if (ok) await recordReading(place, reading, say);
  else if (!(await recordedByServer(place, reading).catch(() => false)))
    say("Cette vérification n'est pas inscrite au journal des accès : ce qui ne tient pas est laissé tel quel.");
}

const keys = program
  .command('keys')
  .description('les clés qui signent les points de contrôle du journal')
  .usage('[options] [commande]');

keys
  .command('list', { isDefault: true })
  .description('donne les clés publiques, la clé actuelle en premier, et quand elles ont signé')
  .action(() => act({ command: 'keys', act: 'list' }));

keys
  .command('rotate')
  .description('remplace la clé qui signe ; les anciennes signatures se vérifient toujours')
  .action(() => act({ command: 'keys', act: 'rotate' }));

program
  .command('mend')
  .description(
    'répare un journal qui ne prolonge pas ce qui fut signé (dossier restauré, faits changés) : ferme son origine, garde ses points de contrôle, inscrit les deux têtes au journal des accès, et en ouvre une autre ; ne signe jamais une bifurcation',
  )
  .option('--origin <nom>', 'nom du journal désormais ; sinon tiré au sort')
  .action(({ origin }: { origin?: string }) => act({ command: 'mend', ...(origin === undefined ? {} : { origin }) }));

program
  .command('witness')
  .description(
    "témoin d'autres journaux (C2SP tlog-witness) : cosigne ce qui prolonge ce qu'il a vu, et rien d'autre ; sur une autre machine que le journal",
  )
  .requiredOption(
    '--log <cle...>',
    'clé de vérification de chaque journal surveillé (nom+id+base64), que donne « jalon keys »',
  )
  .option('--folder <dossier>', 'son dossier : sa clé, et ce qu’il a cosigné', './temoin')
  .option('--name <nom>', 'son nom, gardé au premier démarrage ; sinon tiré au sort')
  .option('--host <adresse>', 'où écouter', '127.0.0.1')
  .option('--port <port>', 'port', '3100')
  .action(async ({ log, folder: place, name, host, port }: WitnessOptions) => {
    if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new RangeError('--port donne un port, de 0 à 65535.');
    const named = name === undefined ? {} : { name };
    await watch({ folder: resolve(place), logs: log, host, port: Number(port), ...named }, print);
  });

program
  .command('export')
  .description('écrit tout le journal et le répertoire des personnes dans un fichier, serveur en marche ou non')
  .argument('<fichier>', 'fichier à écrire (JSON, une ligne par fait)')
  .option('--eventstore <url>', IN_EVENTSTORE)
  .option('--database <url>', IN_DATABASE)
  .option('--partial', 'd’un journal endommagé, écrit ce qui tient et dit dans le fichier ce qui manque')
  .action(async (file: string, options: Stores & { partial?: true }) =>
    print(await readableHouse(house(options), say, (from) => exportTo(file, from, say, options.partial))),
  );

program
  .command('import')
  .description(
    'écrit un fichier exporté dans un journal vide, puis le relit ; reprend après une interruption ; par le serveur s’il tourne',
  )
  .argument('<fichier>', 'fichier exporté')
  .option('--eventstore <url>', IN_EVENTSTORE)
  .option('--database <url>', IN_DATABASE)
  .option('--partial', 'prend aussi un fichier qui dit que des faits y manquent')
  .action(async (file: string, options: Stores & { partial?: true }) => {
    const elsewhere = (options.eventstore ?? options.database) !== undefined;
    const order: Order = { command: 'import', file: resolve(file), elsewhere, partial: options.partial === true };
    print((await askServer(folder(), order, say)) ?? (await importFrom(file, house(options), say, options.partial)));
  });

program
  .command('erase')
  .description("efface du répertoire les noms d'une personne, ou le contenu d'une note ; le journal reste vérifiable")
  .argument('[personne]', 'le « sub » de la personne, tel que l’historique le donne')
  .option('--iss <émetteur>', 'le « iss » de la personne')
  .option('--fact <id>', "le fait dont effacer le contenu : une note, ou la correction d'une note")
  .action((sub: string | undefined, { iss, fact }: { iss?: string; fact?: string }) =>
    act({ command: 'erase', erasure: erasureOf(sub, iss, fact) }),
  );

program
  .command('replay')
  .description('rejoue un dossier fait par fait, chaque état vérifié ; serveur en marche ou non')
  .argument('<dossier>', 'identifiant du dossier')
  .option('--json', 'une ligne de JSON par fait, avec tout ce que la procédure retient')
  .option('--eventstore <url>', IN_EVENTSTORE)
  .action(async (id: string, options: { eventstore?: string; json?: true }) => {
    await readableHouse(house(options), say, async (from) => {
      for await (const line of replayed(id, from, options.json === true, say)) print(line);
    });
  });

program
  .command('diff')
  .description("compare deux états passés d'un dossier : un correctif RFC 6902")
  .argument('<dossier>', 'identifiant du dossier')
  .requiredOption('--from <moment>', 'départ : une révision, ou un instant (2026-03-03T09:30:00Z)')
  .option('--to <moment>', 'arrivée, de même ; maintenant si absente')
  .option('--from-effective <date>', 'au départ, seulement ce qui avait effet à cette date (AAAA-MM-JJ)')
  .option('--to-effective <date>', "à l'arrivée, de même")
  .option('--from-corrected', 'au départ, avec toutes les corrections connues aujourd’hui')
  .option('--to-corrected', "à l'arrivée, de même")
  .option('--eventstore <url>', IN_EVENTSTORE)
  .action(async (id: string, options: Ends & { eventstore?: string }) =>
    print(await readableHouse(house(options), say, (from) => compared(id, from, options, say))),
  );

function erasureOf(sub: string | undefined, iss: string | undefined, fact: string | undefined): Erasure {
  if (fact !== undefined && sub === undefined && iss === undefined) return { fact };
  if (sub !== undefined && iss !== undefined && fact === undefined) return { iss, sub };
  throw new EraseRefused('Donnez soit une personne et --iss, soit --fact : l’historique du dossier les donne.');
}

program.parseAsync().catch((fault: unknown) => {
  const foreseen =
    FORESEEN.some((known) => fault instanceof known) || (fault as NodeJS.ErrnoException).code === 'ENOENT';
  say(foreseen ? (fault as Error).message : String((fault as Error).stack));
  process.exitCode = 1;
});
