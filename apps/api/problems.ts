import { DeliveriesUnavailable, HandshakeRefused, HubClosed, TooManyWebhooks, WebhookInvalid } from '@jalon/delivery';
import {
  Contended,
  DossierNotFound,
  Forbidden,
  HistoryUnreadable,
  InvalidProposal,
  KeyReused,
  MomentNotFound,
  type Refusal,
  Refused,
  RevisionMismatch,
  sentencesOf,
} from '@jalon/engine';
import { AppendTooLarge, DirectoryUnavailable, JournalUnavailable, OutcomeUnknown } from '@jalon/journal';
import { ReadModelsUnavailable } from '@jalon/projections';
import { KeyFileRefused, KeyNotHeld, ProofUnavailable } from '@jalon/proof';
import { possibleAnswer } from './answers.ts';
import { IssuerUnreachable } from './issuer-keys.ts';
import { RateExceeded } from './rate.ts';
import { TokenRefused } from './tokens.ts';

/** A problem document (RFC 9457). */
export type Problem = { type: string; title: string; status: number; detail: string; [member: string]: unknown };

/** What each problem type means and what to do about it: the page at its URI. */
export const PROBLEMS = {
  'non-authentifie': [
    401,
    'Authentification requise',
    'Joignez un jeton valable : « Authorization: Bearer … ». En démonstration, POST /api/demo/token en donne un.',
  ],
  interdit: [
    403,
    'Action interdite',
    'Votre rôle ou votre organisation ne permet pas cette action ; « detail » dit qui le peut.',
  ],
  introuvable: [404, 'Introuvable', "Rien n'existe à cette adresse, ou rien qui vous soit visible."],
  'requete-mal-formee': [
    400,
    'Requête mal formée',
    'Le JSON, un en-tête ou un paramètre ne peut être lu ; « detail » dit lequel.',
  ],
  'methode-non-permise': [
    405,
    'Méthode non permise',
    "Cette adresse existe, mais pas pour cette méthode ; l'en-tête « Allow » donne celles qu'elle connaît.",
  ],
  'trop-volumineux': [
    413,
    'Contenu trop volumineux',
    'Un corps de requête compte au plus 262 144 octets. Les documents restent hors des faits : seule leur empreinte y figure.',
  ],
  'type-de-contenu': [
    415,
    'Type de contenu non pris en charge',
    'Envoyez du JSON : « Content-Type: application/json ».',
  ],
  'proposition-invalide': [
    422,
    'Proposition invalide',
    'Le contenu ne suit pas la forme déclarée ; « errors » donne toutes les erreurs à la fois, chacune avec son chemin (JSON Pointer).',
  ],
  'filtre-inconnu': [
    422,
    'Filtre inconnu',
    'Un filtre nomme un type de fait ou un jalon qu’aucune procédure d’ici ne connaît ; « detail » dit lequel.',
  ],
  'webhook-refuse': [
    422,
    'Adresse non consentante',
    'L’adresse n’a pas accepté d’être appelée, ou ne peut pas l’être ; « detail » dit pourquoi.',
  ],
  'cle-reutilisee': [
    422,
    "Clé d'idempotence déjà employée",
    'La même clé Idempotency-Key a accompagné un autre contenu : une clé par proposition. « Location » donne le fait qui fut enregistré.',
  ],
  'revision-depassee': [
    412,
    'Le dossier a changé',
    'La révision donnée par If-Match n’est plus la dernière ; « revision » donne la révision actuelle. Relisez le dossier, puis proposez de nouveau.',
  ],
  'fait-refuse': [
    409,
    'Fait refusé',
    'La procédure ne permet pas ce fait maintenant ; « reasons » nomme chaque règle qui manque, « possible » ce qui est possible. Rien n’a été enregistré.',
  ],
  'dossier-sollicite': [
    503,
    'Dossier très sollicité',
    'Beaucoup de propositions visent ce dossier au même instant : proposez de nouveau après « Retry-After ».',
  ],
  'journal-indisponible': [
    503,
    'Journal indisponible',
    'Rien ne peut être enregistré ou lu pour le moment. Rien n’est perdu : proposez de nouveau, avec la même clé Idempotency-Key, après « Retry-After ».',
  ],
  'annuaire-indisponible': [
    503,
    'Annuaire indisponible',
    "L'annuaire des personnes ne répond pas : un fait effaçable (une note) ne peut être enregistré pour le moment, les autres le peuvent. Proposez de nouveau, avec la même clé Idempotency-Key, après « Retry-After ».",
  ],
  'lecture-en-retard': [
    503,
    'Lecture en retard',
    "Les vues n'ont pas encore atteint la position demandée : relisez après « Retry-After ».",
  ],
  'vues-indisponibles': [
    503,
    'Vues indisponibles',
    'La base des vues ne répond pas. Les faits continuent d’être enregistrés et les vues les rattraperont : relisez après « Retry-After ».',
  ],
  'livraisons-indisponibles': [
    503,
    'Webhooks indisponibles',
    'La base des webhooks ne répond pas. Les faits continuent d’être enregistrés, et partiront ensuite : réessayez après « Retry-After ».',
  ],
  'preuve-indisponible': [
    503,
    'Preuve indisponible',
    'Aucun point de contrôle ne peut être signé pour le moment : la base des preuves ne répond pas, ou aucun processus ne détient la clé. Rien n’est perdu : redemandez après « Retry-After ».',
  ],
  'emetteur-injoignable': [
    503,
    'Émetteur des jetons injoignable',
    "L'émetteur OpenID Connect ne répond pas : réessayez après « Retry-After ».",
  ],
  'trop-de-requetes': [
    429,
    'Trop de requêtes',
    'La limite de requêtes par minute est atteinte, pour cet appelant ou, sans jeton valable, pour cette adresse : réessayez après « Retry-After ».',
  ],
  'hote-inconnu': [
    421,
    'Hôte inconnu',
    'En démonstration le serveur ne répond que sous le nom de cette machine (localhost).',
  ],
  'delai-depasse': [408, 'Délai dépassé', 'La requête n’est pas arrivée entière à temps.'],
  'en-tetes-trop-longs': [431, 'En-têtes trop longs', "L'adresse et les en-têtes comptent ensemble au plus 16 Kio."],
  'historique-illisible': [
    500,
    'Historique illisible',
    'Ce qui est enregistré ne peut être relu par cette version du logiciel. Rien n’a été modifié ; prévenez l’exploitant.',
  ],
  'erreur-interne': [
    500,
    'Erreur interne',
    'Le serveur a rencontré une erreur qu’il n’attendait pas ; donnez « requestId » à l’exploitant.',
  ],
} as const satisfies Record<string, readonly [number, string, string]>;

export type ProblemName = keyof typeof PROBLEMS;

/** A problem of a known type; without a sentence on this very occurrence it says what its page says. */
export function problem(name: ProblemName, detail?: string, members: Record<string, unknown> = {}): Problem {
  const [status, title, advice] = PROBLEMS[name];
  return { type: `/problems/${name}`, title, status, detail: detail ?? advice, ...members };
}

/** A request that cannot be answered, thrown by a controller. */
export class ProblemRaised extends Error {
  override readonly name = 'ProblemRaised';
  readonly problem: Problem;
  constructor(name: ProblemName, detail?: string, members?: Record<string, unknown>) {
    super(detail ?? name);
    this.problem = problem(name, detail, members);
  }
}

const BY_STATUS: Record<number, ProblemName> = Object.fromEntries(
  (Object.keys(PROBLEMS) as ProblemName[]).reverse().map((name) => [PROBLEMS[name][0], name]),
);

/** The problem document of anything thrown while answering; what is not foreseen tells nothing of the inside. */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof ProblemRaised) return thrown.problem;
  if (thrown instanceof DossierNotFound || thrown instanceof MomentNotFound)
    return problem('introuvable', thrown.message);
  if (thrown instanceof Forbidden) return problem('interdit', thrown.message);
  if (thrown instanceof InvalidProposal)
    return problem('proposition-invalide', thrown.message, { errors: thrown.errors });
  if (thrown instanceof KeyReused) return problem('cle-reutilisee', thrown.message);
  if (thrown instanceof RevisionMismatch)
    return problem('revision-depassee', thrown.message, { revision: thrown.current });
  if (thrown instanceof Refused) {
    return refusalProblem(thrown, thrown.told.redacted);
  }
  if (thrown instanceof Contended) return problem('dossier-sollicite', thrown.message);
  if (thrown instanceof AppendTooLarge) return problem('trop-volumineux');
  if (thrown instanceof DirectoryUnavailable) return problem('annuaire-indisponible');
  if (thrown instanceof JournalUnavailable) return problem('journal-indisponible');
  if (thrown instanceof OutcomeUnknown)
    return problem(
      'journal-indisponible',
      'Le fait a pu être enregistré ou non : la même requête, avec la même clé Idempotency-Key, le dira.',
    );
  if (thrown instanceof WebhookInvalid)
    return problem('proposition-invalide', thrown.message, { errors: thrown.errors });
  if (thrown instanceof HandshakeRefused) return problem('webhook-refuse', thrown.message);
  if (thrown instanceof TooManyWebhooks) return problem('interdit', thrown.message);
  if (thrown instanceof DeliveriesUnavailable) return problem('livraisons-indisponibles');
  if (thrown instanceof HubClosed) return problem('journal-indisponible');
  if (thrown instanceof ReadModelsUnavailable) return problem('vues-indisponibles');
  if (thrown instanceof ProofUnavailable || thrown instanceof KeyNotHeld || thrown instanceof KeyFileRefused)
    return problem('preuve-indisponible');
  if (thrown instanceof IssuerUnreachable) return problem('emetteur-injoignable', thrown.message);
  if (thrown instanceof RateExceeded) return problem('trop-de-requetes');
  if (thrown instanceof TokenRefused) return problem('non-authentifie', thrown.message);
  if (thrown instanceof HistoryUnreadable) return problem('historique-illisible');
  return foreseenByFramework(thrown) ?? problem('erreur-interne');
}

/** What is answered to a refused fact, of which this may be told. */
export function refusalProblem({ fact, state, workflow }: Refused, told: Refusal): Problem {
  const { reasons } = told;
  const possible = possibleAnswer(workflow, told.possible);
  return problem('fait-refuse', sentencesOf(told), { fact: fact.type, state, reasons, possible });
}

const BY_FASTIFY: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: "L'adresse contient un encodage « % » incorrect.",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'Le corps ne compte pas les octets que Content-Length annonce.',
};

/** Faults that Fastify and Nest raise before a controller is reached: they carry a status below 500. */
function foreseenByFramework(thrown: unknown): Problem | undefined {
  const { statusCode, status, code = '' } = thrown as { statusCode?: number; status?: number; code?: string };
  const answered = statusCode ?? status ?? 500;
  if (answered < 400 || answered >= 500) return undefined;
  // 414: no address here is that long.
  const name = answered === 414 ? 'introuvable' : (BY_STATUS[answered] ?? 'requete-mal-formee');
  if (name === 'introuvable') return problem(name, "Cette adresse n'existe pas : /docs les donne toutes.");
  return problem(name, BY_FASTIFY[code]);
}
