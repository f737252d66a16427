import {
  DossierNotFound,
  Dossiers,
  difference,
  type PastMoment,
  type PastView,
  pastSituation,
  pastView,
  replay,
} from '@jalon/engine';
import { isCalendarDate, UUID } from '@jalon/flow';
import { jsonLine } from '@jalon/journal';
import { catalogue } from '@jalon/workflows';
import { type House, openForReading } from './house.ts';
import { recordReading } from './reading.ts';

/** What was given is no moment of a past; the message says what is. */
export class MomentRefused extends Error {
  override readonly name = 'MomentRefused';
}

/** Both ends of a comparison, as options give them. */
export type Ends = {
  from: string;
  to?: string;
  fromEffective?: string;
  toEffective?: string;
  fromCorrected?: true;
  toCorrected?: true;
};

/** Whoever holds the data folder sees everything in it. */
const SEEING = ['auditeur'];

/**
 * A dossier fact by fact, each state checked against the recorded hash: a line for people, or one of JSON.
 * @throws DossierNotFound, HistoryUnreadable
 */
export async function* replayed(
  id: string,
  house: House,
  json: boolean,
  say: (line: string) => void,
): AsyncGenerator<string> {
  const { journal, close } = await openForReading(house);
  try {
    let facts = 0;
    for await (const { event, dossier } of replay(dossiersOf(journal), known(id))) {
      if (facts === 0) await recorded(house, 'jalon replay', id, say);
      facts += 1;
      const { revision, type, effectiveAt, recordedAt, from, to, crosses } = event.envelope;
      if (json) {
        yield jsonLine({ ...pastView(id, dossier.situation, 'recorded', SEEING), fact: event.envelope });
        continue;
      }
      const moved = from === to ? to : `${from ?? '(ouverture)'} → ${to}`;
      const crossed = crosses === undefined ? '' : `  ${crosses} franchi`;
      const label = dossier.workflow.facts.get(type)?.label ?? type;
      yield `${String(revision).padStart(4)}  ${effectiveAt}  ${recordedAt}  ${label} (${type})  ${moved}${crossed}`;
    }
    if (facts === 0) throw new DossierNotFound(id);
    if (!json) yield `${facts} faits rejoués ; chaque état a l'empreinte enregistrée.`;
  } finally {
    await close();
  }
}

/** What changed between two moments of a dossier, as a patch of RFC 6902. @throws MomentRefused, DossierNotFound */
export async function compared(id: string, house: House, ends: Ends, say: (line: string) => void): Promise<string> {
  const { journal, close } = await openForReading(house);
  try {
    const dossiers = dossiersOf(journal);
    if (!(await dossiers.load(known(id)))) throw new DossierNotFound(id);
    const from = await stood(dossiers, id, momentOf(ends.from, ends.fromEffective, ends.fromCorrected));
    const to = await stood(dossiers, id, momentOf(ends.to, ends.toEffective, ends.toCorrected));
    await recorded(house, 'jalon diff', id, say);
    return JSON.stringify(difference(from, to), null, 2);
  } finally {
    await close();
  }
}

/** The log of accesses knows whose dossier is about to be shown. */
async function recorded(house: House, operation: string, dossier: string, say: (line: string) => void): Promise<void> {
  await recordReading(house, { command: 'reading', type: 'acces.faits-lus', data: { operation, dossier } }, say);
}

function dossiersOf(journal: ConstructorParameters<typeof Dossiers>[0]): Dossiers {
  return new Dossiers(journal, catalogue, false, 1);
}

async function stood(dossiers: Dossiers, id: string, moment: PastMoment): Promise<PastView> {
  const reading = moment.corrected ? 'corrected' : 'recorded';
  return pastView(id, await pastSituation(dossiers, id, moment), reading, SEEING);
}

function known(id: string): string {
  if (!UUID.test(id))
    throw new MomentRefused(`« ${id} » n'est pas l'identifiant d'un dossier : un UUID en minuscules.`);
  return id;
}

function momentOf(point: string | undefined, effectiveAt: string | undefined, corrected: true | undefined): PastMoment {
  const moment: PastMoment = {};
  if (point !== undefined && /^\d{1,15}$/.test(point)) moment.revision = Number(point);
  else if (point !== undefined) moment.recordedAt = instant(point);
  if (effectiveAt !== undefined) {
    if (!isCalendarDate(effectiveAt))
      throw new MomentRefused(`« ${effectiveAt} » n'est pas une date qui existe, sous la forme AAAA-MM-JJ.`);
    moment.effectiveAt = effectiveAt;
  }
  if (corrected) moment.corrected = true;
  return moment;
}

function instant(text: string): string {
  const time = /^\d{4}-\d{2}-\d{2}T.+(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw new MomentRefused(`« ${text} » n'est ni une révision, ni un instant comme 2026-03-03T09:30:00Z.`);
  return new Date(time).toISOString();
}
