# One image for every role. Built in two stages: what compiles and bundles stays behind.
FROM node:20-bookworm-slim AS build
WORKDIR /jalon
# better-sqlite3 fetches a prebuilt binary, or compiles itself with these.
RUN apt-get update && apt-get install -y --no-install-recommends python3 make g++ && rm -rf /var/lib/apt/lists/*
COPY . .
RUN npm ci && npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
ENV NODE_ENV=production JALON_DATA=/data HOST=0.0.0.0
WORKDIR /jalon
COPY --from=build --chown=root:root /jalon/node_modules node_modules
# Some packages are nested beside the library that wants another version of them: the bundles name them by that path.
COPY --from=build --chown=root:root /jalon/apps apps
COPY --from=build --chown=root:root /jalon/libs libs
COPY --from=build --chown=root:root /jalon/workflows workflows
COPY --from=build --chown=root:root /jalon/dist dist
COPY --from=build --chown=root:root /jalon/package.json package.json
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["node", "-e", "fetch('http://127.0.0.1:'+(process.env.PORT||3000)+'/health/ready').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "--enable-source-maps", "--max-old-space-size=384", "--max-semi-space-size=8", "dist/api.mjs"]
