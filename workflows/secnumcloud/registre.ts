import { addDays, type CalendarDate, type ReadModel, type ReadModelRow, searchable, type ToldFact } from '@jalon/flow';
import type { Service } from './v1/facts.ts';

/** What a qualification may be to the public. A qualification called into question stays what it was before. */
export const STATUTS = ['valide', 'suspendue', 'abrogee', 'retiree', 'renoncee', 'expiree'] as const;
type Statut = (typeof STATUTS)[number];

/** A change of status, from which day on, and by which decision. */
type Etape = { statut: Statut; depuis: CalendarDate; decision?: string };

/** A qualification in the public register, as of a day. Reserves are not public. */
export type Inscription = {
  dossier: string;
  prestataire: string;
  offre: string;
  referentiel: { nom: string; version: string };
  services: { id: string; nom: string; type: string }[];
  decision: string;
  decideeLe: CalendarDate;
  notifieeLe: CalendarDate | null;
  publieeLe: CalendarDate | null;
  valideDu: CalendarDate;
  /** The last day: as decided, or that on which an abrogation takes effect when it comes first. */
  valideJusquAu: CalendarDate;
  conditions: string[];
  statut: Statut;
  /** Whether it may be relied upon on that day. */
  valide: boolean;
  historique: Etape[];
};

/** What facts say of a candidature, and of its qualification once there is one. */
type Retenu = {
  prestataire: string;
  offre: string;
  referentiel: { nom: string; version: string };
  services: Service[];
  qualification?: Qualification;
};

type Qualification = {
  decision: string;
  decideeLe: CalendarDate;
  valideDu: CalendarDate;
  valideJusquAu: CalendarDate;
  services: string[];
  conditions: string[];
  notifieeLe?: CalendarDate;
  publieeLe?: CalendarDate;
  effetLe?: CalendarDate;
  etapes: Etape[];
};

/** What each fact of the life of a qualification makes of it. */
const SUITES: Readonly<Record<string, (qualification: Qualification, fact: ToldFact) => Partial<Qualification>>> = {
  'suivi.decision-notifiee': (_, { data }) => ({ notifieeLe: data.le }),
  'suivi.decision-publiee': (_, { data }) => ({ publieeLe: data.le }),
  'suivi.perimetre-modifie': (_, { data }) => ({ services: data.services }),
  'suivi.qualification-suspendue': devient('suspendue'),
  'suivi.suspension-levee': devient('valide'),
  'suivi.qualification-abrogee': ({ etapes }, { data: { effetLe, decision } }) => ({
    effetLe,
    etapes: [...etapes, { statut: 'abrogee', depuis: addDays(effetLe, 1), decision }],
  }),
  'suivi.qualification-retiree': devient('retiree'),
  'suivi.renonciation': devient('renoncee'),
  'suivi.qualification-expiree': devient('expiree'),
};

function devient(statut: Statut) {
  return ({ etapes }: Qualification, { effectiveAt, data }: ToldFact<{ decision?: string }>) => ({
    etapes: [...etapes, etape(statut, effectiveAt, data.decision)],
  });
}

function etape(statut: Statut, depuis: CalendarDate, decision: string | undefined): Etape {
  return { statut, depuis, ...(decision === undefined ? {} : { decision }) };
}

/** The public register: one row per qualification that was granted. */
export const registre: ReadModel<Retenu> = {
  name: 'registre',
  version: 2,
  workflow: 'secnumcloud',
  hears: ['candidature.deposee', 'j3.qualification-accordee', ...Object.keys(SUITES)],
  public: true,
  columns: { prestataire_cle: 'text', offre_cle: 'text', body: 'text' },
  key: [],
  order: ['prestataire_cle', 'offre_cle'],
  fold(before, fact) {
    const memory = suite(before, fact);
    if (!memory.qualification) return { memory };
    const { prestataire, offre } = memory;
    return {
      memory,
      rows: [{ prestataire_cle: searchable(prestataire), offre_cle: searchable(offre), body: JSON.stringify(memory) }],
    };
  },
};

function suite(before: Retenu | null, fact: ToldFact): Retenu {
  const { type, data } = fact;
  if (type === 'candidature.deposee') {
    const { prestataire, offre, referentiel, services } = data;
    return { prestataire: prestataire.nom, offre, referentiel, services };
  }
  if (!before) throw new Error(`${type} arrived before the application.`);
  if (type === 'j3.qualification-accordee') {
    const { decision, decideeLe, valideDu, valideJusquAu, services, conditions } = data;
    const etapes = [etape('valide', valideDu, decision)];
    const qualification = { decision, decideeLe, valideDu, valideJusquAu, services, conditions, etapes };
    return { ...before, qualification };
  }
  const { qualification } = before;
  const change = SUITES[type];
  // A refusal is notified too, and is not in the register.
  if (!qualification || !change) return before;
  return { ...before, qualification: { ...qualification, ...change(qualification, fact) } };
}

/** A qualification as the register shows it on a day: what the passing of a date makes true is true without a fact. */
export function inscriptionAu(row: ReadModelRow, jour: CalendarDate): Inscription {
  const { qualification, ...candidature }: Retenu = JSON.parse(String(row.body));
  const { services, etapes, effetLe, valideDu, valideJusquAu, ...decidee } = qualification as Qualification;
  const fin = effetLe !== undefined && effetLe < valideJusquAu ? effetLe : valideJusquAu;
  const historique = avecExpiration(etapes, valideJusquAu, jour);
  const { statut } = historique.findLast(({ depuis }) => depuis <= jour) ?? (historique[0] as Etape);
  return {
    dossier: String(row.dossier),
    prestataire: candidature.prestataire,
    offre: candidature.offre,
    referentiel: candidature.referentiel,
    services: services.map(
      (id) => candidature.services.find((service) => service.id === id) ?? { id, nom: id, type: '' },
    ),
    decision: decidee.decision,
    decideeLe: decidee.decideeLe,
    notifieeLe: decidee.notifieeLe ?? null,
    publieeLe: decidee.publieeLe ?? null,
    valideDu,
    valideJusquAu: fin,
    conditions: decidee.conditions,
    statut,
    valide: statut === 'valide' && valideDu <= jour && jour <= fin,
    historique,
  };
}

const DEFINITIFS: readonly Statut[] = ['abrogee', 'retiree', 'renoncee', 'expiree'];

/** The day after the last of its validity a qualification is over, whether or not the clock recorded it yet. */
function avecExpiration(etapes: readonly Etape[], valideJusquAu: CalendarDate, jour: CalendarDate): Etape[] {
  const over = jour > valideJusquAu && !etapes.some(({ statut }) => DEFINITIFS.includes(statut));
  return over ? [...etapes, { statut: 'expiree', depuis: addDays(valideJusquAu, 1) }] : [...etapes];
}

/** The columns of the register as a table. */
export const COLONNES = [
  'dossier',
  'prestataire',
  'offre',
  'referentiel',
  'service',
  'nom',
  'type',
  'statut',
  'valide',
  'valide_du',
  'valide_jusqu_au',
  'decision',
  'decidee_le',
  'notifiee_le',
  'publiee_le',
  'conditions',
] as const;

/** A qualification as lines of a table, one per service; dates AAAA-MM-JJ. */
export function lignesDe(inscription: Inscription): Record<(typeof COLONNES)[number], string>[] {
  const { dossier, prestataire, offre, referentiel, services, statut, valide, conditions } = inscription;
  return services.map(({ id, nom, type }) => ({
    dossier,
    prestataire,
    offre,
    referentiel: `${referentiel.nom} ${referentiel.version}`,
    service: id,
    nom,
    type,
    statut,
    valide: valide ? 'oui' : 'non',
    valide_du: inscription.valideDu,
    valide_jusqu_au: inscription.valideJusquAu,
    decision: inscription.decision,
    decidee_le: inscription.decideeLe,
    notifiee_le: inscription.notifieeLe ?? '',
    publiee_le: inscription.publieeLe ?? '',
    conditions: conditions.join(' | '),
  }));
}
