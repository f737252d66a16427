import 'reflect-metadata';
import { resolve } from 'node:path';
import { JournalRefused } from '@jalon/journal';
import { Command } from 'commander';
import type { Order } from '../api/control.ts';
import { VERSION } from '../api/product.ts';
import { carryOut, OrderFailed } from './hold.ts';

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

async function act(order: Order): Promise<void> {
  const folder = resolve(program.opts<{ data?: string }>().data ?? (process.env.JALON_DATA || './data'));
  process.stdout.write(`${await carryOut(folder, order, say)}\n`);
}

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

program.parseAsync().catch((fault: unknown) => {
  const foreseen = fault instanceof JournalRefused || fault instanceof RangeError || fault instanceof OrderFailed;
  say(foreseen ? fault.message : String((fault as Error).stack));
  process.exitCode = 1;
});
