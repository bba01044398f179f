// Pages work without this: it copies commands, follows a job, and takes readers to what is wrong.

const fill = (element, text) => { if (element) element.textContent = text; };

for (const block of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block.querySelector("code"));
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  const row = document.createElement("div");
  row.className = "copyable";
  block.replaceWith(row);
  row.append(block, button);
}

document.getElementById("problems")?.focus();

const job = document.querySelector("[data-job][data-over='no']");
if (job) {
  const address = `/api/v1/jobs/${job.dataset.job}`;
  const list = document.getElementById("job-log");
  const asked = async (path) => {
    const answer = await fetch(path, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.json();
  };
  const follow = async () => {
    const found = await asked(address);
    if (found.state !== job.dataset.state) { location.reload(); return; }
    document.getElementById("job-progress").value = found.progress;
    fill(document.getElementById("job-doing"), found.doing.slice(0, 200));
    if (found.state === "running") {
      const share = Math.round(100 * found.progress);
      const where = found.worker ? ` on ${found.worker}` : "";
      fill(document.getElementById("job-status"), `${share}%, attempt ${found.attempt}${where}`);
    }
    await log();
    setTimeout(again, 1000);
  };
  const log = async () => {
    const after = list.dataset.next ? `?after=${encodeURIComponent(list.dataset.next)}` : "";
    const lines = await asked(`${address}/log${after}`);
    const last = Number(list.dataset.after);
    const atEnd = list.parentElement.scrollTop + list.parentElement.clientHeight >= list.parentElement.scrollHeight - 8;
    for (const line of lines.items.filter((one) => one.id > last)) {
      const item = document.createElement("li");
      const time = document.createElement("time");
      time.dateTime = line.at;
      time.textContent = line.at.slice(11, 19);
      item.append(time, ` ${line.text}`);
      list.append(item);
      list.dataset.after = line.id;
    }
    if (lines.next) { list.dataset.next = lines.next; }
    if (atEnd) list.parentElement.scrollTop = list.parentElement.scrollHeight;
  };
  const again = () => follow().catch(() => { setTimeout(again, 5000); });
  setTimeout(again, 1000);
}
