import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

// The long step stands for a compiler: it is what a warm cache saves.
const DOCKERFILE = `FROM scratch
COPY busybox /bin/busybox
RUN --network=none ["/bin/busybox", "--install", "-s", "/bin"]
RUN --network=none dd if=/dev/zero bs=1M count=500 2>/dev/null | sha256sum >/compiled
COPY app.sh /app.sh
RUN --network=none sh /app.sh
ENTRYPOINT ["/bin/sh", "/app.sh"]
`;

/** Write the sample's build context into `folder`: it needs no network and no registry. */
export async function writeSampleImage(folder: string, busybox: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await copyFile(busybox, join(folder, "busybox"));
  await writeFile(join(folder, "Dockerfile"), DOCKERFILE);
  await writeFile(join(folder, "app.sh"), 'echo "hello from $(cut -c 1-12 /compiled)"\n');
}
