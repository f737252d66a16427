import './constats.css';
import { Badge } from '@codegouvfr/react-dsfr/Badge';
import { useQuery } from '@tanstack/react-query';
import { type MouseEvent, useDeferredValue } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { Digest } from './content.tsx';
import { Loaded } from './loaded.tsx';
import { type Finding, findingsOf, type Referentiel, useRequirements } from './reading.ts';
import { useSeen } from './seen.ts';
import { DataTable } from './table.tsx';
import { counted, inWords, short } from './words.ts';

/** Constats: every requirement of the référentiel by chapter, with what the evaluation found; and the findings as a table. */
export function Component() {
  const { dossier } = useSeen();
  const requirements = useRequirements(dossier.workflow);
  const findings = useQuery({
    queryKey: ['dossier', dossier.id, 'findings'],
    queryFn: () => findingsOf(dossier.id),
  });
  return (
    <>
      <h2>Constats</h2>
      <Loaded query={findings}>
        {(found) => (
          <Loaded query={requirements}>
            {({ items }) => {
              const named = items.find(({ nom, version }) => `${nom} ${version}` === dossier.summary.referentiel);
              return <Examined findings={found} referentiel={named} />;
            }}
          </Loaded>
        )}
      </Loaded>
    </>
  );
}

/** What was found of a requirement, worst first: the letter says it, the colour only repeats it. */
const VERDICTS = {
  majeur: { letter: 'M', text: 'écart majeur ouvert', plural: 'écarts majeurs ouverts' },
  mineur: { letter: 'm', text: 'écart mineur ouvert, sans plan', plural: 'écarts mineurs ouverts, sans plan' },
  plan: { letter: 'p', text: 'écart mineur ouvert, avec plan', plural: 'écarts mineurs ouverts, avec plan' },
  leve: { letter: 'L', text: 'écart levé', plural: 'écarts levés' },
  conforme: { letter: 'C', text: 'conforme', plural: 'conformes' },
} as const;
type Verdict = keyof typeof VERDICTS;
const worstFirst = Object.keys(VERDICTS) as Verdict[];
const NONE: readonly Finding[] = [];

function verdictOf({ verdict, open, gravite, plan }: Finding): Verdict {
  if (verdict === 'conforme') return 'conforme';
  if (!open) return 'leve';
  if (gravite === 'majeure') return 'majeur';
  return plan ? 'plan' : 'mineur';
}

function Examined({ findings, referentiel }: { findings: readonly Finding[]; referentiel: Referentiel | undefined }) {
  const [query] = useSearchParams();
  const chosen = query.get('exigence');
  const one = query.get('constat');
  const of = new Map<string, Verdict>();
  for (const finding of findings) {
    const [before, now] = [of.get(finding.exigence), verdictOf(finding)];
    if (!before || worstFirst.indexOf(now) < worstFirst.indexOf(before)) of.set(finding.exigence, now);
  }
  const counts = worstFirst.map((verdict) => ({
    verdict,
    count: [...of.values()].filter((one) => one === verdict).length,
  }));
  const all = referentiel?.chapitres.flatMap(({ sections }) => sections.flatMap(({ exigences }) => exigences)) ?? [];
  const shown = findings.filter(
    ({ exigence, constat }) => (chosen === null || exigence === chosen) && (one === null || constat === one),
  );
  // The matrix is what one looks at first: the rows of hundreds of findings are drawn after it.
  const rows = useDeferredValue(shown, NONE);
  return (
    <>
      <ul className="legende" aria-label="Nombre d’exigences, par verdict">
        {counts.map(({ verdict, count }) => (
          <li key={verdict}>
            <span className={`case case--${verdict}`} aria-hidden>
              {VERDICTS[verdict].letter}
            </span>{' '}
            {counted(count, VERDICTS[verdict].text, VERDICTS[verdict].plural)}
          </li>
        ))}
        <li>
          <span className="case" aria-hidden>
            ·
          </span>{' '}
          {counted(all.length - of.size, 'exigence non examinée', 'exigences non examinées')}
        </li>
      </ul>
      {referentiel && <Matrix referentiel={referentiel} of={of} chosen={chosen} />}
      <h3 id="liste" tabIndex={-1}>
        {one !== null ? `Constat ${one}` : chosen === null ? 'Tous les constats' : `Constats sur l’exigence ${chosen}`}
      </h3>
      {(chosen !== null || one !== null) && (
        <p>
          <Link to="?" preventScrollReset>
            Tous les constats
          </Link>
        </p>
      )}
      {shown.length === 0 ? (
        <p>Aucun constat. Le centre d’évaluation en relève pendant un audit ouvert.</p>
      ) : (
        <Findings findings={rows} />
      )}
    </>
  );
}

/** Follows a link within the page. A `Link` of the router, three hundred times, takes as long to draw as all the rest. */
function useFollowing(): (event: MouseEvent<HTMLAnchorElement>) => void {
  const navigate = useNavigate();
  return (event) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    void navigate(event.currentTarget.getAttribute('href') ?? '', { preventScrollReset: true });
  };
}

type MatrixProps = { referentiel: Referentiel; of: ReadonlyMap<string, Verdict>; chosen: string | null };

/** Chapters as rows, requirements as cells; those that were examined lead to what was found. */
function Matrix({ referentiel, of, chosen }: MatrixProps) {
  const follow = useFollowing();
  return (
    <div className="matrice">
      <table>
        <caption className="fr-sr-only">
          Exigences de {referentiel.nom} {referentiel.version}, par chapitre
        </caption>
        <tbody>
          {referentiel.chapitres.map(({ chapitre, titre, sections }) => {
            const exigences = sections.flatMap((section) => section.exigences);
            const examined = exigences.filter((exigence) => of.has(exigence));
            return (
              <tr key={chapitre}>
                <th scope="row">
                  {chapitre}. {titre}
                  <span className="fr-hint-text">
                    {examined.length} sur {exigences.length}
                  </span>
                </th>
                <td>
                  <ul className="cases" aria-label={`Exigences examinées du chapitre ${chapitre}`}>
                    {exigences.map((exigence) => (
                      <Cell
                        key={exigence}
                        exigence={exigence}
                        verdict={of.get(exigence)}
                        chosen={exigence === chosen}
                        follow={follow}
                      />
                    ))}
                  </ul>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

type CellProps = {
  exigence: string;
  verdict: Verdict | undefined;
  chosen: boolean;
  follow: ReturnType<typeof useFollowing>;
};

function Cell({ exigence, verdict, chosen, follow }: CellProps) {
  if (!verdict)
    return (
      <li className="case" aria-hidden title={`${exigence} : non examinée`}>
        ·
      </li>
    );
  const { letter, text } = VERDICTS[verdict];
  return (
    <li>
      <a
        href={`?exigence=${exigence}#liste`}
        onClick={follow}
        className={`case case--${verdict}`}
        aria-current={chosen ? 'true' : undefined}
        title={`${exigence} : ${text}`}
      >
        <span aria-hidden>{letter}</span>
        <span className="fr-sr-only">
          {exigence} : {text}
        </span>
      </a>
    </li>
  );
}

function Findings({ findings }: { findings: readonly Finding[] }) {
  return (
    <DataTable
      caption="Constats, dans l’ordre des exigences"
      hidden
      columns={[
        { label: 'Exigence', names: true, cell: ({ exigence }) => exigence },
        { label: 'Constat', cell: ({ constat }) => constat },
        { label: 'Audit', cell: ({ audit }) => audit },
        {
          label: 'Verdict',
          cell: (finding) => (
            <Badge small noIcon severity={SEVERITIES[verdictOf(finding)]} as="span">
              {VERDICTS[verdictOf(finding)].text}
            </Badge>
          ),
        },
        { label: 'Description', cell: ({ description }) => <p className="fr-mb-0 suite texte">{description}</p> },
        { label: 'Relevé le', cell: ({ releveLe }) => short(releveLe) },
        { label: 'Suite', cell: ({ plan, leve }) => <Sequel plan={plan} leve={leve} /> },
      ]}
      rows={findings}
      keyOf={({ constat }) => constat}
    />
  );
}

const SEVERITIES = { majeur: 'error', mineur: 'warning', plan: 'info', leve: 'success', conforme: 'success' } as const;

/** What became of a finding: the plan that was handed in, the proof that lifted it. */
function Sequel({ plan, leve }: { plan: Finding['plan'] | undefined; leve: Finding['leve'] | undefined }) {
  return (
    <>
      {plan && (
        <p className="fr-mb-0 suite">
          Plan remis le {inWords(plan.remisLe)} : {plan.mesures} À mener avant le {inWords(plan.avantLe)}.
        </p>
      )}
      {leve && (
        <p className="fr-mb-0 suite">
          Levé le {inWords(leve.le)} : {leve.preuve.titre} ({leve.preuve.reference}){' '}
          <Digest hex={leve.preuve.empreinte} />
        </p>
      )}
    </>
  );
}
