#!/bin/sh
# bare.sh DIR: lays out a base image that has Node and the libraries that it loads, and nothing else: no shell, no package manager. As base.ts does
# from this machine's files; this one runs in a container, for each platform of a release.
set -eu
dir=$1
node=$(command -v node)
mkdir -p "$dir/usr/local/bin" "$dir/etc"
cp "$node" "$dir/usr/local/bin/node"
ldd "$node" | sed -n 's/^[^/]*\(\/[^ ]*\) (0x.*/\1/p' | while read -r library; do
  mkdir -p "$dir$(dirname "$library")"
  cp -L "$library" "$dir$library"
done
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' > "$dir/etc/passwd"
printf 'root:x:0:\nnonroot:x:65532:\n' > "$dir/etc/group"
# Without it glibc would ask DNS before /etc/hosts.
printf 'passwd: files\ngroup: files\nhosts: files dns\n' > "$dir/etc/nsswitch.conf"
