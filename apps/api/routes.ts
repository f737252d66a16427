import type { FastifyInstance } from 'fastify';

/** The routes of a server, by what their paths look like. */
export type Routes = {
  /** The methods that a path answers, sorted; none when there is no such path. */
  methodsAt(path: string): string[];
};

/** Follows the routes that are registered from now on: a path with another method is told which it has (405). */
export function followRoutes(fastify: FastifyInstance): Routes {
  const known: { shape: RegExp; methods: readonly string[] }[] = [];
  fastify.addHook('onRoute', ({ url, method }) => {
    const shape = new RegExp(`^${url.replaceAll(/[.+?^$()|[\]\\{}]/g, '\\$&').replaceAll(/:\w+/g, '[^/]+')}$`);
    // The documentation's own files are behind a wildcard that says nothing of what is there.
    if (!url.includes('*')) known.push({ shape, methods: [method].flat() });
  });
  return {
    methodsAt: (path) =>
      [...new Set(known.filter(({ shape }) => shape.test(path)).flatMap(({ methods }) => methods))].sort(),
  };
}
