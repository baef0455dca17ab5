import type { Peer } from "../peer_lane/peer.ts";
import { tomcatPeer } from "../peer_lane/tomcat.ts";

export const PEER: Peer = tomcatPeer({
  major: 10,
  version: "10.1.60",
  namespace: "jakarta",
  jars: ["websocket-client-api"],
  makeConfig: `if (root != null) builder.sslContext(trust(root));
        ClientEndpointConfig config = builder.build();`,
});
