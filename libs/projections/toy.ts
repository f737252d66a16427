import { randomUUID } from 'node:crypto';
import { Catalogue, type Fact, factsBeside, type PublishedWorkflow, type StateSpec } from '@jalon/flow';
import { dataHash, type Envelope, FORMAT, type Journal, type NewEvent, NO_STREAM, seal } from '@jalon/journal';

/**
 * A small procedure for specs, as it would be read off a machine: what projections see of a workflow is its facts, states
 * and roles, never its machine.
 */
class Payload {}

function fact(type: string, label: string, declared: Partial<Fact> = {}): Fact {
  return { type, label, by: ['charge'], payload: Payload, ...declared };
}

const FACTS: readonly Fact[] = [
  fact('demande.deposee', 'Demande déposée', {
    opens: true,
    publicFields: ['prestataire.nom'],
    summary: { prestataire: 'prestataire.nom', siren: 'prestataire.siren', offre: 'offre', referentiel: 'referentiel' },
  }),
  fact('demande.charge-designe', 'Chargé désigné', { free: true, summary: { charge: 'charge' } }),
  fact('demande.complements-demandes', 'Compléments demandés', {
    deadlines: [{ label: 'Compléments à fournir', field: 'avantLe', closedBy: ['demande.complements-recus'] }],
  }),
  fact('demande.complements-recus', 'Compléments reçus'),
  fact('demande.visite-prevue', 'Visite prévue', {
    deadlines: [{ label: 'Visite à faire', field: 'avantLe', closedBy: ['j1.avis-rendu', 'j1.validee'] }],
  }),
  fact('j0.acceptee', 'Demande acceptée', { crosses: 'J0' }),
  fact('j1.avis-rendu', 'Avis rendu', {
    withheldFrom: ['prestataire'],
    deadlines: [{ label: 'Décision attendue', field: 'avantLe', closedBy: ['j1.validee'] }],
  }),
  fact('j1.validee', 'Demande validée', {
    crosses: 'J1',
    deadlines: [
      {
        label: 'Réserve à lever',
        field: 'reserves[].avantLe',
        closedBy: ['suivi.reserve-levee'],
        key: { here: 'reserves[].id', closing: 'reserve' },
      },
      {
        label: 'Fin de validité',
        field: 'valideJusquAu',
        closedBy: ['suivi.expiree'],
        validity: true,
        proposes: 'suivi.expiree',
      },
    ],
  }),
  fact('suivi.reserve-levee', 'Réserve levée'),
  fact('suivi.expiree', 'Validité expirée'),
  fact('dossier.retire', 'Demande retirée'),
  fact('dossier.note-ajoutee', 'Note ajoutée', { free: true, erasable: true, withheldFrom: ['prestataire'] }),
  fact('dossier.cible-annoncee', 'Cible annoncée', {
    free: true,
    announces: { jalon: 'jalon', periode: 'periode' },
  }),
];

function state(name: string, label: string, jalon: string): StateSpec {
  return { state: name, label, jalon, final: jalon === 'fin', accepts: new Map(), expects: [] };
}

const ROLES: PublishedWorkflow['roles'] = {
  charge: { label: 'Chargé', sees: 'all' },
  prestataire: { label: 'Prestataire', sees: 'own' },
  abonne: { label: 'Abonné', sees: 'none' },
};

const STATES: readonly StateSpec[] = [
  state('demande.deposee', 'Demande en examen', 'J0'),
  state('demande.incomplete', 'Compléments attendus', 'J0'),
  state('j1.examen', 'Examen', 'J1'),
  state('suivi.valide', 'Valide', 'suivi'),
  state('expiree', 'Expirée', 'fin'),
  state('retiree', 'Retirée', 'fin'),
];

/** Where each fact leads; the others stay. */
const LEADS_TO: Readonly<Record<string, string>> = {
  'demande.deposee': 'demande.deposee',
  'demande.complements-demandes': 'demande.incomplete',
  'demande.complements-recus': 'demande.deposee',
  'j0.acceptee': 'j1.examen',
  'j1.validee': 'suivi.valide',
  'suivi.expiree': 'expiree',
  'dossier.retire': 'retiree',
};

const toy: Partial<PublishedWorkflow> = {
  name: 'essai',
  version: 1,
  label: 'Essai',
  hash: 'e'.repeat(64),
  facts: new Map(
    [...FACTS, ...factsBeside({ roles: ROLES, facts: FACTS, versionChangedBy: [] })].map((each) => [each.type, each]),
  ),
  states: new Map(STATES.map((each) => [each.state, each])),
  roles: ROLES,
  parties: { prestataire: ['prestataire', 'siren'] },
};

/** A catalogue of the toy alone. */
export const TOYS = new Catalogue([toy as PublishedWorkflow]);

/** What a recorded fact may say otherwise. */
export type Said = Partial<
  Pick<Envelope, 'effectiveAt' | 'recordedAt' | 'target' | 'to' | 'actor' | 'onBehalfOf' | 'workflow'>
>;

/** A dossier of the toy, recorded fact by fact. The day of each fact is the day after the one before, from 2026-01-01. */
export class ToyDossier {
  readonly id = randomUUID();
  readonly facts: NewEvent[] = [];
  position = 0n;

  constructor(private readonly journal: Journal) {}

  get stream(): string {
    return `dossier-${this.id}`;
  }

  get state(): string | null {
    return this.facts.at(-1)?.envelope.to ?? null;
  }

  /** Records a fact; gives its id. */
  async record(type: string, data: Record<string, unknown> = {}, said: Said = {}): Promise<string> {
    const event = this.next(type, data, said);
    const revision = this.facts.length - 1;
    ({ position: this.position } = await this.journal.append(this.stream, revision < 0 ? NO_STREAM : revision, [
      event,
    ]));
    this.facts.push(event);
    return event.envelope.id;
  }

  /** The fact that would come next, sealed but not recorded. */
  next(type: string, data: Record<string, unknown>, said: Said = {}): NewEvent {
    const revision = this.facts.length;
    const day = new Date(Date.UTC(2026, 0, 1 + revision)).toISOString();
    const crossed = new Set(this.facts.map(({ envelope }) => envelope.crosses));
    const crosses = FACTS.find((each) => each.type === type)?.crosses;
    const salt = '0'.repeat(32);
    const id = randomUUID();
    const envelope: Envelope = {
      format: FORMAT,
      id,
      stream: this.stream,
      revision,
      type,
      dataHash: dataHash(salt, data),
      actor: { iss: 'https://connexion.example', sub: 'a-17', role: 'charge', org: 'ANSSI' },
      effectiveAt: day.slice(0, 10),
      recordedAt: day,
      workflow: { name: 'essai', version: 1, hash: 'e'.repeat(64) },
      from: this.state,
      to: LEADS_TO[type] ?? this.state ?? '',
      ...(crosses === undefined || crossed.has(crosses) ? {} : { crosses }),
      stateHash: 'f'.repeat(64),
      correlationId: id,
      software: 'jalon 0.1.0',
      previousHash: this.facts.at(-1)?.hash ?? null,
      ...said,
    };
    const erasable = FACTS.find((each) => each.type === type)?.erasable === true;
    return seal(envelope, erasable ? { data: {} } : { data, salt });
  }
}

/** The payload of an opening. */
export function deposit(nom: string, offre: string, siren = '552100554'): Record<string, unknown> {
  return { prestataire: { nom, siren }, offre, referentiel: 'essai 1' };
}
