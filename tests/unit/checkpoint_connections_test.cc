#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "checkpoint/connections.h"
#include "os/fd.h"

namespace still::checkpoint {
namespace {

TEST(TcpLines, AreReadAsTheKernelWritesThem) {
  const auto listens = parse_tcp_line(
      "   0: 0100007F:1B58 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 "
      "21540 1 0000000000000000 100 0 0 10 0");
  ASSERT_TRUE(listens);
  EXPECT_EQ(listens->local, "127.0.0.1:7000");
  EXPECT_EQ(listens->state, TCP_LISTEN);
  EXPECT_EQ(listens->waiting, 3U);
  EXPECT_EQ(listens->inode, 21540U);
  const auto v6 = parse_tcp_line(
      "   1: 00000000000000000000000001000000:0050 0000000000000000FFFF00000100007F:C350 08 "
      "00000000:00000005 00:00000000 00000000  1000        0 7 1 0000000000000000");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->local, "[::1]:80");
  EXPECT_EQ(v6->peer, "[::ffff:127.0.0.1]:50000");
  EXPECT_EQ(v6->state, TCP_CLOSE_WAIT);
  EXPECT_EQ(v6->waiting, 0U);  // what is in its queue are bytes
}

TEST(TcpLines, AreNotFoundElsewhere) {
  EXPECT_FALSE(parse_tcp_line(""));
  EXPECT_FALSE(
      parse_tcp_line("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when"));
  EXPECT_FALSE(parse_tcp_line("0: 0100007F 00000000:0000 0A 0:0 0:0 0 0 0 1"));
  EXPECT_FALSE(parse_tcp_line("0: 01000:1 00000000:0000 0A 0:0 0:0 0 0 0 1"));
  EXPECT_FALSE(parse_tcp_line("0: 0100007F:xx 00000000:0000 0A 0:0 0:0 0 0 0 1"));
}

class OwnSockets : public ::testing::Test {
 protected:
  void SetUp() override {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(server_.get(), any, size), 0);
    ASSERT_EQ(::listen(server_.get(), 1), 0);
    ASSERT_EQ(::getsockname(server_.get(), any, &size), 0);
    peer_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    if (::connect(client_.get(), any, size) != 0) GTEST_SKIP() << "the loopback is down";
  }

  std::vector<std::string> states() const {
    std::vector<std::string> found;
    for (const TcpSocket& socket : tcp_sockets_of({::getpid()}).connections) {
      if (socket.peer == peer_) found.push_back(socket.state);
    }
    return found;
  }

  Fd server_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  Fd client_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::string peer_;
};

TEST_F(OwnSockets, AreFoundInEveryState) {
  using States = std::vector<std::string>;
  const auto crowded = tcp_sockets_of({::getpid()}).crowded;
  EXPECT_TRUE(std::ranges::contains(crowded, peer_, &TcpSocket::local));
  EXPECT_EQ(states(), States{"ESTABLISHED"});
  const Fd accepted(::accept4(server_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_FALSE(
      std::ranges::contains(tcp_sockets_of({::getpid()}).crowded, peer_, &TcpSocket::local));
  ::shutdown(accepted.get(), SHUT_WR);
  EXPECT_EQ(states(), States{"CLOSE_WAIT"});
  ::shutdown(client_.get(), SHUT_WR);
  EXPECT_EQ(states(), States{"CLOSE"});
  client_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(states(), States{});
}

}  // namespace
}  // namespace still::checkpoint
