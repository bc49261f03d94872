// Jobs in order of submission on equal hosts, one job per host, with SimGrid's energy plugin. SimGrid 3.32 or later.
//
//   simgrid_fifo TRACE.csv HOSTS IDLE_W BUSY_W
//
// The trace has columns job_id, submit_s, run_s. Prints one line of JSON; reading the trace is not in the time.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <simgrid/plugins/energy.h>
#include <simgrid/s4u.hpp>

namespace sg4 = simgrid::s4u;

namespace {

struct Job {
  double submit_s;
  double run_s;
  double start_s;
};

std::vector<Job> jobs;
int hosts = 0;
std::deque<std::size_t> waiting;
sg4::SemaphorePtr submitted;
double last_end_s = 0.0;

// One actor per host takes the next job in order of submission. A host computes one flop per second, so that flops are
// seconds. Faster than an actor per job; callbacks at completion come only for activities that an actor waits for.
void serve() {
  for (;;) {
    submitted->acquire();
    if (waiting.empty())  // the day is over
      return;
    Job& job = jobs[waiting.front()];
    waiting.pop_front();
    job.start_s = sg4::Engine::get_clock();
    sg4::this_actor::execute(job.run_s);
    last_end_s = sg4::Engine::get_clock();
  }
}

void submit_all() {
  for (std::size_t index = 0; index < jobs.size(); ++index) {
    sg4::this_actor::sleep_until(jobs[index].submit_s);
    waiting.push_back(index);
    submitted->release();
  }
  for (int host = 0; host < hosts; ++host)
    submitted->release();
}

void read_trace(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    Job job{};
    if (std::sscanf(line.c_str(), "%*[^,],%lf,%lf", &job.submit_s, &job.run_s) == 2)
      jobs.push_back(job);
  }
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s TRACE.csv HOSTS IDLE_W BUSY_W\n", argv[0]);
    return 2;
  }
  read_trace(argv[1]);
  hosts = std::atoi(argv[2]);
  const double idle_w = std::atof(argv[3]);
  const double busy_w = std::atof(argv[4]);

  const auto begin = std::chrono::steady_clock::now();
  sg_host_energy_plugin_init();
  sg4::Engine engine(&argc, argv);
  auto* zone = sg4::create_full_zone("cluster");
  const std::string watts = std::to_string(idle_w) + ":" + std::to_string(busy_w) + ":" + std::to_string(busy_w);
  submitted = sg4::Semaphore::create(0);
  sg4::Host* host = nullptr;
  for (int index = 0; index < hosts; ++index) {
    host = zone->create_host("host-" + std::to_string(index), 1.0);
    host->set_property("wattage_per_state", watts);
    host->seal();
    sg4::Actor::create("serve", host, serve);
  }
  zone->seal();
  sg4::Actor::create("submit", host, submit_all);
  engine.run();
  sg_host_energy_update_all();

  double energy_j = 0.0;
  for (const auto* host : engine.get_all_hosts())
    energy_j += sg_host_get_consumed_energy(host);
  double waited_s = 0.0;
  for (const Job& job : jobs)
    waited_s += job.start_s - job.submit_s;
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
  std::printf("{\"seconds\": %.6f, \"jobs\": %zu, \"makespan_s\": %.6f, \"mean_wait_s\": %.9f, \"energy_J\": %.3f}\n",
              spent.count(), jobs.size(), last_end_s, waited_s / static_cast<double>(jobs.size()), energy_j);
  return 0;
}
