import { type Catalogue, isSameParty, partyOf, type Viewer } from '@jalon/flow';
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import { PARTY_COLUMNS, type PartyColumn } from './dossiers.ts';
import type { Row, Tables } from './tables.ts';

/**
 * A way of seeing dossiers: those of a version of a procedure, by one of its roles; with `own`, only those of which one of
 * the columns of the summary names this organisation.
 */
export type Sight = {
  workflow: string;
  version: number;
  role: string;
  own?: { columns: readonly PartyColumn[]; org: string };
};

/** The ways in which somebody sees dossiers, whatever the procedure; none: they see no dossier at all. */
export function sightsOf({ workflows }: Catalogue, { roles, org }: Viewer): Sight[] {
  return workflows.flatMap(({ name: workflow, version, roles: declared, parties }) =>
    roles.flatMap((role): Sight[] => {
      const sees = Object.hasOwn(declared, role) ? declared[role]?.sees : 'none';
      if (sees === 'all') return [{ workflow, version, role }];
      if (sees !== 'own' || org === undefined) return [];
      const columns = PARTY_COLUMNS.filter((column) => parties[role]?.includes(column));
      return columns.length === 0 ? [] : [{ workflow, version, role, own: { columns, org } }];
    }),
  );
}

/**
 * The condition that a row is seen in this way. `row` is what the columns `workflow` and `version` belong to, `dossier`
 * what the columns of the summary do.
 */
export function seenBy(
  { workflow, version, own }: Sight,
  where: ExpressionBuilder<Tables, string>,
  { row, dossier }: { row: string; dossier: string },
): Expression<SqlBool> {
  const conditions: Expression<SqlBool>[] = [
    where(`${row}.workflow`, '=', workflow),
    where(`${row}.version`, '=', version),
  ];
  if (own) {
    const equal = where.or(
      own.columns.map((column) => where(`${dossier}.${column}_party`, '=', partyOf(own.org) || null)),
    );
    // Known or not, so that it can be negated: a dossier may have no such column.
    conditions.push(sql<SqlBool>`coalesce(${equal}, false)`);
  }
  return where.and(conditions);
}

/** The roles by which a row is seen, of which `columns` are those that `seenBy` asks. */
export function rolesSeeing(sights: readonly Sight[], columns: Row): string[] {
  return sights
    .filter(({ workflow, version, own }) => {
      if (columns.workflow !== workflow || Number(columns.version) !== version) return false;
      return !own || own.columns.some((column) => isSameParty(String(columns[column] ?? ''), own.org));
    })
    .map(({ role }) => role);
}

/** Roles as a column holds them, so that one can be looked for: `,abonne,prestataire,`; none is an empty text. */
export function rolesText(roles: readonly string[]): string {
  return roles.length === 0 ? '' : `,${roles.join(',')},`;
}

/** The condition that a column of roles names one. */
export function namesRole(column: string, role: string): Expression<SqlBool> {
  return sql<SqlBool>`${sql.ref(column)} like ${`%,${role},%`}`;
}

/** Whether somebody who sees a dossier by these roles is told what is withheld from those: every one would be named. */
export function isTold(withheldFrom: readonly string[], seeing: readonly string[]): boolean {
  return seeing.some((role) => !withheldFrom.includes(role));
}
