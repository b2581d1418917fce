#include <sys/resource.h>
#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include "ward/model/zoo.h"
#include "ward/nn/network.h"
#include "ward/nn/private_gradients.h"
#include "ward/nn/tape.h"
#include "ward/nn/runtime.h"
#include "ward/nn/threads.h"
#include "ward/nn/torch.h"
using namespace ward;
double now(){return std::chrono::duration<double,std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();}
double rss(){rusage u;getrusage(RUSAGE_SELF,&u);return u.ru_maxrss/1024.0;}
struct M{std::string n;model::ModelSpec s;int64_t b;};
int main(int argc,char**argv){
  std::string only=argc>1?argv[1]:"";std::string mode=argc>2?argv[2]:"both";int rounds=argc>3?atoi(argv[3]):10;
  nn::tune_process(argv);nn::set_threads(2);
  std::vector<M> ms;
  model::ZooOptions o;o.outputs=10;o.input_shape={784};o.hidden={1024,1024};
  ms.push_back({"mlp",model::make_model("mlp",o),256});
  o.input_shape={1,28,28};ms.push_back({"cnn",model::make_model("cnn",o),256});
  o.input_shape={3,32,32};ms.push_back({"resnet18-gn",model::make_model("resnet18-gn",o),64});
  o.input_shape={128};o.vocabulary=8000;o.outputs=2;ms.push_back({"transformer",model::make_model("transformer",o),32});
  for(auto&m:ms){ if(!only.empty()&&only!=m.n)continue;
    nn::Network plain(m.s,1),priv(m.s,1);
    auto shp=m.s.input_shape;shp.insert(shp.begin(),m.b);
    at::Tensor x=m.s.token_input?torch::randint(0,8000,shp):torch::randn(shp),y=torch::randint(0,m.s.outputs,{m.b});
    for(auto&p:plain.parameters())p.value.set_requires_grad(true);
    auto step_plain=[&]{
      auto l=at::cross_entropy_loss(plain.forward(x),y);
      std::vector<at::Tensor> ps;for(auto&p:plain.parameters())ps.push_back(p.value);
      l.backward();
      at::NoGradGuard g;for(auto&p:plain.parameters()){p.value.add_(p.value.grad(),-0.01);p.value.mutable_grad().reset();}
    };
    double tn=0,tf=0,tb=0,ts=0;
    auto step_priv=[&]{
      double a=now();
      nn::Tape t; auto l=at::cross_entropy_loss(priv.forward(x,&t),y,{},at::Reduction::Sum);
      double b=now();
      l.backward(); l=at::Tensor();
      double c=now();
      nn::PrivateGradients g(priv,std::move(t),{});
      double d=now();
      auto norms=g.squared_norm_bounds().sum(0).sqrt();
      auto f=(1/norms).clamp_max(1).to(at::kFloat).unsqueeze(0).expand({(int64_t)g.layers().size(),-1}).contiguous();
      std::vector<at::Tensor> sums(priv.parameters().size());
      g.add_weighted_sum(f,sums);
      at::NoGradGuard ng;for(size_t i=0;i<sums.size();i++)priv.parameters()[i].value.add_(sums[i],-0.01/m.b);
      double e=now();tf+=b-a;tb+=c-b;tn+=d-c;ts+=e-d;
    };
    std::vector<double> p,q;
    double r0=rss();
    if(mode!="priv")step_plain(); if(mode!="plain")step_priv();tn=tf=tb=ts=0;
    for(int i=0;i<rounds;i++){double a=now();if(mode!="priv")step_plain();double b=now();if(mode!="plain")step_priv();double c=now();p.push_back(b-a);q.push_back(c-b);}
    std::sort(p.begin(),p.end());std::sort(q.begin(),q.end());
    double pm=p[rounds/2],qm=q[rounds/2];
    printf("%s plain %.2f private %.2f ratio %.3f | fwd %.2f bwd %.2f norm %.2f sum %.2f rss %.0f (before %.0f)\n",m.n.c_str(),pm,qm,qm/pm,tf/rounds,tb/rounds,tn/rounds,ts/rounds,rss(),r0);
  }
}
