# vipward in a container: docker build -t vipward .
#
# Needs NET_ADMIN and NET_RAW when run (SYS_NICE and IPC_LOCK for real-time advertisements), and either
# --network=host, or a network of its own as in deploy/compose. Configuration: /etc/vipward/vipward.yaml.
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY deploy/build.mjs deploy/
COPY src src
# Everything but koffi is in the bundle; koffi keeps glibc's binary for this processor.
RUN node deploy/build.mjs \
 && find dist -name '*.map' -delete \
 && mkdir -p /out/node_modules/@koromix \
 && cp -R dist package.json /out/ \
 && cp -R node_modules/koffi /out/node_modules/ \
 && cp -R node_modules/@koromix/koffi-linux-* /out/node_modules/@koromix/ \
 && rm -rf /out/node_modules/koffi/doc /out/node_modules/koffi/vendor /out/node_modules/@koromix/*/musl_*

FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="vipward" \
      org.opencontainers.image.description="HA controller for Linux load balancers: VRRP, health checks and IPVS" \
      org.opencontainers.image.licenses="MIT"
# ip: to look at (and in the compose demo set) addresses; the daemon itself does not need it.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends iproute2 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /out /opt/vipward
COPY LICENSE /opt/vipward/
# Tried at once: --version loads the bundle, the second command the C library through koffi.
RUN ln -s /opt/vipward/dist/main.js /usr/local/bin/vipward \
 && vipward --version \
 && cd /opt/vipward && node -e 'require("koffi").load(null).func("int getpid()")()'
WORKDIR /
STOPSIGNAL SIGTERM
# Healthy: the daemon answers on its socket. A director that is BACKUP is as healthy as the MASTER.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "/opt/vipward/dist/main.js", "status", "instances"]
# Exec form: vipward is process 1 and gets SIGTERM itself (priority 0 sent, addresses removed, exit 0).
# It waits for the children it starts, so no init is needed.
ENTRYPOINT ["node", "/opt/vipward/dist/main.js"]
CMD ["run", "-c", "/etc/vipward/vipward.yaml"]
