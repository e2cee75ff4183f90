// A message centre made with node-smpp (MIT), for the gateway to be tried against: node smpp_server.js PASSWORD
// Each line that it prints is JSON; the first names its port. It throttles the first submit_sm, takes the others,
// says DELIVRD of those that ask, and answers a text that begins with "echo " from the phone. To "odd" it says what
// other message centres do: classes, parts by SAR parameters, reports that are no messages, an id in another base.
const smpp = require("smpp");
const password = process.argv[2];
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");
let submitted = 0;

const server = smpp.createServer((session) => {
  const bind = (pdu) => {
    const status = pdu.password === password ? 0 : smpp.ESME_RINVPASWD;
    tell({ bind: pdu.system_id, status });
    session.send(pdu.response({ command_status: status }));
    if (status) session.close();
  };
  session.on("bind_transceiver", bind);
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    tell({ unbind: true });
    session.send(pdu.response());
    session.close();
  });
  session.on("submit_sm", (pdu) => {
    submitted += 1;
    if (submitted === 1) {
      session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
      return;
    }
    const id = pdu.short_message.message === "odd" ? "00FF2A" : "js-" + submitted;
    const { source_addr, destination_addr, source_addr_ton, dest_addr_ton, data_coding, esm_class } = pdu;
    const text = pdu.short_message.message;
    const udh = pdu.short_message.udh ? pdu.short_message.udh.map((element) => element.toString("hex")) : [];
    tell({ id, source_addr, destination_addr, source_addr_ton, dest_addr_ton, data_coding, esm_class, text, udh });
    session.send(pdu.response({ message_id: id }));
    const back = {
      source_addr: destination_addr, source_addr_ton: 1, source_addr_npi: 1,
      destination_addr: source_addr, dest_addr_npi: 1,
    };
    const octets = (fields, message) => session.deliver_sm({
      ...back, ...fields, short_message: { message: Buffer.from(message) },
    });
    if (text === "odd") {
      octets({ data_coding: 0xf1 }, [0x00, 0x20, 0x68, 0x69]);
      octets({ data_coding: 0xe0 }, [0x04, 0x36, 0x04, 0x4f]);
      octets({ esm_class: 0x20 }, "id:00FF2A stat:ENROUTE");
      octets({ esm_class: 0x08 }, "acknowledged");
      octets({ esm_class: 0x10 }, "acknowledged by hand");
      const sar = { sar_msg_ref_num: 7, sar_total_segments: 2 };
      octets({ ...sar, sar_segment_seqnum: 2 }, "world");
      octets({ ...sar, sar_segment_seqnum: 1 }, "hello ");
      octets({ esm_class: 0x04 }, "id:65322 sub:001 dlvrd:001 submit date:2311141200 done date:2311141200 stat:DELIVERED err:000");
    } else if (pdu.registered_delivery === 1) {
      session.deliver_sm({
        ...back, esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT, receipted_message_id: id,
        message_state: smpp.MESSAGE_STATE.DELIVERED,
        short_message: `id:${id} sub:001 dlvrd:001 submit date:2311141200 done date:2311141200 stat:DELIVRD err:000 text:`,
      });
    }
    if (text.startsWith("echo ")) session.deliver_sm({ ...back, short_message: text.slice(5) });
  });
  session.on("error", (error) => tell({ error: String(error) }));
});
server.on("error", (error) => tell({ error: String(error) }));
server.listen(0, "127.0.0.1", () => tell({ port: server.address().port }));
process.stdin.on("end", () => process.exit(0)).resume();
