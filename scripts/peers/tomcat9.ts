import type { Peer } from "../peer_lane/peer.ts";
import { tomcatPeer } from "../peer_lane/tomcat.ts";

export const PEER: Peer = tomcatPeer({
  major: 9,
  version: "9.0.70",
  namespace: "javax",
  makeConfig: `ClientEndpointConfig config = builder.build();
        if (root != null) config.getUserProperties().put("org.apache.tomcat.websocket.SSL_CONTEXT", trust(root));`,
});
