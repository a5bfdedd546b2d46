# The image of rayfix: two programs, the shared libraries that they need, nothing else. How it is
# built, checked and verified: docs/image.md.
ARG BASE=docker.io/library/debian:trixie-slim

FROM ${BASE} AS build
COPY deploy/image/libcurl /src/deploy/image/
# Debian's libcurl brings LDAP, Kerberos, SSH, RTMP and HTTP/3 along. The API server wants HTTPS.
RUN export DEBIAN_FRONTEND=noninteractive \
    && sed -i 's/^Types: deb$/Types: deb deb-src/' /etc/apt/sources.list.d/debian.sources \
    && apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends gcc libc6-dev cmake ninja-build pkg-config \
       musl-tools dpkg-dev libmicrohttpd-dev libgnutls28-dev libssl-dev libyyjson-dev libyaml-dev \
       libjansson-dev >/dev/null \
    && /src/deploy/image/libcurl /opt/libcurl
COPY . /src
ARG REVISION=
ARG SOURCE_DATE_EPOCH=0
RUN PKG_CONFIG_PATH=/opt/libcurl/lib/pkgconfig cmake -S /src -B /build -G Ninja \
      -DCMAKE_BUILD_TYPE=RelWithDebInfo -DRAYFIX_HARDEN=ON -DRAYFIX_TESTS=OFF \
      -DRAYFIX_SOURCE_COMMIT=${REVISION} -DCMAKE_C_FLAGS=-ffile-prefix-map=/src=. \
    && cmake --build /build --target rayfix wait-gcs-static \
    && /src/deploy/image/collect /image

FROM scratch
COPY --from=build /image /
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="rayfix" \
      org.opencontainers.image.description="Admission webhook that fixes and judges Ray pods" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="https://github.com/rayfix/rayfix" \
      org.opencontainers.image.licenses="Apache-2.0"
# A number: with a name the kubelet cannot tell that it is not root.
USER 65532:65532
EXPOSE 9443 8080
ENTRYPOINT ["/rayfix"]
CMD ["serve"]
